# SPDX-License-Identifier: Apache-2.0
"""Complaints about a policy file: what is wrong, what is allowed, and what was probably meant.

Every error of compilation is made here, so that each has its place in the document. Never used
while deciding.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import TypeAlias

from yett.action import JsonObject, JsonValue
from yett.errors import ConfigurationError

Path: TypeAlias = "tuple[str | int, ...]"


def complaint(message: str, path: Path) -> ConfigurationError:
    """The error for something wrong at `path`."""
    return ConfigurationError(message, path=path)


def unknown_word(what: str, word: str, allowed: Iterable[str], path: Path) -> ConfigurationError:
    """The error for a word that is none of the allowed ones, with the nearest of them."""
    choices = sorted(allowed)
    near = get_close_matches(word, choices, n=1, cutoff=0.6)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(choices[:40]) if choices else "none are defined"
    return ConfigurationError(f"Unknown {what} {word!r}.{meant} Known: {listed}.", path=path)


def words(value: JsonValue, what: str, path: Path) -> tuple[str, ...]:
    """One string or a non-empty list of strings, as a tuple.

    Raises:
        ConfigurationError: anything else.
    """
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise complaint(f"{what} must not be an empty list.", path)
    found: list[str] = []
    for index, item in enumerate(listed):
        if not isinstance(item, str) or not item:
            place = (*path, index) if isinstance(value, list) else path
            raise complaint(f"{what} must be a name or a list of names, not {item!r}.", place)
        found.append(item)
    return tuple(found)


def mapping(value: JsonValue, what: str, path: Path) -> JsonObject:
    """A mapping with string keys.

    Raises:
        ConfigurationError: anything else.
    """
    if not isinstance(value, dict):
        raise complaint(f"{what} must be a mapping, not {value!r}.", path)
    for key in value:
        if not isinstance(key, str):
            raise complaint(f"Keys of {what} must be text; {key!r} is not.", path)
    return value
