# SPDX-License-Identifier: Apache-2.0
"""Three-valued truth (Kleene's strong logic): false, unknown, true, in that order.

`min` is AND, so false wins over unknown inside a rule; `max` is OR. Used by every constraint.
"""

from __future__ import annotations

from enum import IntEnum


class Truth(IntEnum):
    """What is known of a condition."""

    FALSE = 0
    UNKNOWN = 1
    TRUE = 2

    @staticmethod
    def of(value: bool) -> Truth:  # noqa: FBT001 - a conversion of exactly this value
        """TRUE or FALSE."""
        return Truth.TRUE if value else Truth.FALSE

    def negated(self) -> Truth:
        """NOT: unknown stays unknown."""
        return Truth(2 - self)
