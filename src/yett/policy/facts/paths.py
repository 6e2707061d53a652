# SPDX-License-Identifier: Apache-2.0
"""Paths: the one lexical normal form that rules compare.

Lexical on purpose: symbolic links are the sandbox's business. What a kernel could read in two ways
(NUL, a lone surrogate, text that is not NFC and so may name the same file as another spelling) is
unreadable, which denies rather than allows. Called by the file tools' facts and the path constraints.
"""

from __future__ import annotations

import unicodedata

from yett.action import JsonObject, JsonValue


def normal_parts(text: str, limit: int) -> tuple[str, ...] | None:
    """The parts of an absolute path with `.`, `..` and empty parts resolved; None if unreadable.

    `..` at the root stays at the root, as in the kernel. `limit` is in characters.
    """
    if not text.startswith("/") or not _readable(text, limit):
        return None
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return tuple(parts)


def normal_relative_parts(text: str, limit: int) -> tuple[str, ...] | None:
    """The parts of a relative path; None if it is unreadable or leaves the place it starts from."""
    if text.startswith("/") or not text or not _readable(text, limit):
        return None
    parts: list[str] = []
    for part in text.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return tuple(parts)


def path_facts(arguments: JsonObject, limit: int) -> dict[str, JsonValue]:
    """`path`: the normalised absolute path in argument `path`."""
    value = arguments.get("path")
    parts = normal_parts(value, limit) if isinstance(value, str) else None
    return {} if parts is None else {"path": "/" + "/".join(parts)}


def _readable(text: str, limit: int) -> bool:
    if len(text) > limit or "\0" in text:
        return False
    if text.isascii():
        return True
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        return False
    return unicodedata.is_normalized("NFC", text)
