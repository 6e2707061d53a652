# SPDX-License-Identifier: Apache-2.0
"""Names of upstream tools, and text that shows all that it says.

The rule for names: letters, digits, `_` and `-` stay; every other character becomes `_x<hex>_` with its
code point; an underscore that would begin such a group by itself becomes `_x5f_`. So every name maps to
one name and back, and nothing in a name is invisible. Pure. Called by `definition` and `connection`.
"""

from __future__ import annotations

import re
import unicodedata

from yett.errors import ConfigurationError

_UPSTREAM = re.compile(r"[a-z0-9]+(?:[_-][a-z0-9]+)*")
_PLAIN = re.compile(r"[A-Za-z0-9_-]")
_GROUP = re.compile(r"_x([0-9a-f]{1,6})_")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_LINES = {"\u2028": "\n", "\u2029": "\n", "\x85": "\n"}


def check_upstream_name(name: str) -> str:
    """The name, if tools may be named after it: lower-case words joined by single `_` or `-`.

    Raises:
        ConfigurationError: it is not such a name.
    """
    if not _UPSTREAM.fullmatch(name) or len(name) > 32:
        raise ConfigurationError(
            "an upstream's name is at most 32 of a-z, 0-9, with single '_' or '-' between",
            path=("upstreams", name),
        )
    return name


def encode_name(name: str) -> str:
    """A tool's name as it is served. `decode_name` gives the original."""
    encoded = ""
    for character in reversed(name):
        if not _PLAIN.fullmatch(character):
            encoded = f"_x{ord(character):x}_{encoded}"
        elif character == "_" and _GROUP.match("_" + encoded):
            encoded = f"_x5f_{encoded}"
        else:
            encoded = character + encoded
    return encoded


def decode_name(name: str) -> str:
    """The original of a served name."""
    return _GROUP.sub(lambda match: chr(int(match[1], 16)), name)


def visible(text: str, limit: int) -> str:
    """The text without what a person can't see and a model can: controls, zero width, bidi, tags.

    At most `limit` characters; a cut is marked.
    """
    shown = "".join(_LINES.get(c, c) for c in text if c in "\n\t" or c in _LINES or not is_invisible(c))
    return shown if len(shown) <= limit else shown[: max(limit - 1, 0)] + "\u2026"


def is_invisible(character: str) -> bool:
    """Whether a character shows nothing by itself; line breaks and tabs count as invisible too."""
    return (
        unicodedata.category(character) in _INVISIBLE
        or character in _BLANK
        or character in _LINES
        or "\ufe00" <= character <= "\ufe0f"
        or "\U000e0100" <= character <= "\U000e01ef"
    )
