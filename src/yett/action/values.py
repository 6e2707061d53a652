# SPDX-License-Identifier: Apache-2.0
"""Plain values: JSON and its one byte form, what is known of an origin, and what is never printed."""

from __future__ import annotations

import hashlib
import json
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]


Label: TypeAlias = str
"""What is known of a result or a session: `untrusted`, `sensitive:<entity>`, `source:<tool>`."""


UNTRUSTED: Label = "untrusted"


def canonical_json(value: JsonValue) -> bytes:
    """The one byte form of a JSON value that digests, approvals and audit records use.

    Keys are sorted, there is no white space, text is UTF-8. Two values have one form exactly when
    they are equal after strict parsing.

    Raises:
        ValueError: NaN or an infinity (strict parsing refuses them before).
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest_of(value: JsonValue) -> str:
    """SHA-256 of `canonical_json(value)`, in hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


class Secret:
    """A value that must never be printed: its repr and str are `***`.

    Compare with `hmac.compare_digest(a.reveal(), b.reveal())`; equality is by identity on purpose.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself. Call this only where it is used up."""
        return self._value

    def __repr__(self) -> str:
        """Never the value."""
        return "***"

    __str__ = __repr__
