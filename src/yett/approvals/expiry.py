# SPDX-License-Identifier: Apache-2.0
"""When a record's time is over, on two clocks at once.

A record is over as soon as either clock says so: the wall clock (which survives a restart) or the
monotonic one (which nobody can set). A wall clock that stands before the record's creation ends it
too. So no jump of the clock makes an approval live longer. Called by `ledger.py` at every read;
there is no timer that could be late.
"""

from __future__ import annotations

from yett.action import ApprovalRecord
from yett.ports import Clock


class Deadlines:
    """The monotonic deadline of each live record, kept in memory.

    Args:
        clock: both clocks.
        skew: seconds that the wall clock may stand before a record's creation.
    """

    def __init__(self, clock: Clock, skew: float) -> None:
        self._clock = clock
        self._skew = skew
        self._ends: dict[str, float] = {}

    def left(self, record: ApprovalRecord) -> float:
        """Seconds until the record is over; zero or less when it is.

        The first sight of a record starts its monotonic time, with what the wall clock leaves it and
        never more than its terms.
        """
        now, monotonic = self._clock.now(), self._clock.monotonic()
        if now < record.created_at - self._skew:
            return 0.0
        lifetime = record.expires_at - record.created_at
        by_wall = min(record.expires_at - now, lifetime)
        end = self._ends.setdefault(record.id, monotonic + by_wall)
        return min(by_wall, end - monotonic)

    def forget(self, approval: str) -> None:
        """Drop a record that can no longer expire."""
        self._ends.pop(approval, None)
