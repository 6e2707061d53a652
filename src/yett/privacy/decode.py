# SPDX-License-Identifier: Apache-2.0
"""Encoded text inside a text: base64, base64url, hexadecimal, percent, JSON and HTML escapes. Pure.

A run that decodes to readable text is looked at too, and so is the readable text in one that decodes to
other bytes: one byte that is no text must not hide the rest. What is found stands for the whole run.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote

import re2

_RUN = re2.compile(r"(?:[A-Za-z0-9+/]{16,}|[A-Za-z0-9_\-]{16,})={0,2}")
_PERCENT = re2.compile(r"[^\s\"'<>]*%[0-9A-Fa-f]{2}[^\s\"'<>]*")
_ESCAPE = r"\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|&#[0-9]{2,5};|&#[xX][0-9A-Fa-f]{2,4};"
_ESCAPED = re2.compile(rf"[^\s\"'<>]*(?:{_ESCAPE})[^\s\"'<>]*")
_ONE_ESCAPE = re.compile(_ESCAPE)
_STRETCH = re.compile(rb"[\t\n\r\x20-\x7e]{8,}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


@dataclass(frozen=True, slots=True)
class Encoded:
    """`text[start:end]` says `decoded`."""

    start: int
    end: int
    decoded: str


def encoded_runs(text: str) -> Iterator[Encoded]:
    """The runs of a plain (ASCII) text that decode to readable text."""
    data = text.encode()
    if "%" in text:
        for match in _PERCENT.finditer(data):
            start, end = match.span()
            yield Encoded(start, end, unquote(text[start:end]))
    if "\\" in text or "&#" in text:
        for match in _ESCAPED.finditer(data):
            start, end = match.span()
            yield Encoded(start, end, _ONE_ESCAPE.sub(_unescaped, text[start:end]))
    if "\0" in text and text.count("\0") >= len(text) // 3:
        yield Encoded(0, len(text), text.replace("\0", ""))
    for match in _RUN.finditer(data):
        start, end = match.span()
        run = text[start:end]
        for raw in _decodings(run):
            decoded = _readable(raw)
            if decoded is not None:
                yield Encoded(start, end, decoded)


def _unescaped(escape: re.Match[str]) -> str:
    body = escape[0].strip("\\&#;")
    if escape[0].startswith("&") and body.isdigit():
        return chr(int(body))
    return chr(int(body[1:], 16))


def _decodings(run: str) -> Iterator[bytes]:
    if run.isalpha() and (run.islower() or run.isupper()):
        return  # a word; encoded text is never of one case alone
    if len(run) % 2 == 0 and _HEX.fullmatch(run):
        yield bytes.fromhex(run)
    bare = run.rstrip("=")
    if len(bare) % 4 == 1:
        return
    try:
        yield base64.b64decode(
            bare.replace("-", "+").replace("_", "/") + "=" * (-len(bare) % 4), validate=True
        )
    except binascii.Error:
        return


def _readable(raw: bytes) -> str | None:
    """The text that bytes are, or what of them can be read as ASCII, in UTF-16 and UTF-32 too."""
    try:
        text = raw.decode()
        if all(char.isprintable() or char.isspace() for char in text):
            return text
    except UnicodeDecodeError:
        pass
    pieces = _STRETCH.findall(raw)
    if raw.count(0) >= len(raw) // 3:  # UTF-16, UTF-32; elsewhere a zero ends a text
        pieces += _STRETCH.findall(raw.replace(b"\0", b""))
    return "\n".join(piece.decode("ascii") for piece in pieces) or None


__all__ = ["Encoded", "encoded_runs"]
