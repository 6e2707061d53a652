# SPDX-License-Identifier: Apache-2.0
"""The names of what is looked for, and the marker that stands where something was masked.

Names are Presidio's where it has one. This is the only place that knows what a marker looks like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

CREDIT_CARD = "CREDIT_CARD"
EMAIL_ADDRESS = "EMAIL_ADDRESS"
IBAN_CODE = "IBAN_CODE"
IP_ADDRESS = "IP_ADDRESS"
PHONE_NUMBER = "PHONE_NUMBER"
SECRET = "SECRET"  # noqa: S105 - the name of an entity
US_SSN = "US_SSN"

PATTERN_ENTITIES = frozenset(
    {CREDIT_CARD, EMAIL_ADDRESS, IBAN_CODE, IP_ADDRESS, PHONE_NUMBER, SECRET, US_SSN}
)
"""What the pattern stage can find."""

LIMIT = "LIMIT"
"""Not a thing found: the value could not be looked at as a whole."""

MASK_MARKER = "MASK_MARKER"
"""Not a thing found: a marker of ours where the real value is about to be overwritten."""


def marker(entity: str) -> str:
    """What stands where a value of this entity was."""
    return f"[{entity}]"


def marker_pattern(entities: Iterable[str]) -> re.Pattern[str]:
    """Finds the markers of these entities in a text."""
    names = "|".join(re.escape(name) for name in sorted(entities))
    return re.compile(rf"\[(?:{names})\]")


__all__ = [
    "CREDIT_CARD",
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "IP_ADDRESS",
    "LIMIT",
    "MASK_MARKER",
    "PATTERN_ENTITIES",
    "PHONE_NUMBER",
    "SECRET",
    "US_SSN",
    "marker",
    "marker_pattern",
]
