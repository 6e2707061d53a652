# SPDX-License-Identifier: Apache-2.0
"""What an operator may know of the pool: `pool.py` fills it in, the command line shows it."""

from __future__ import annotations

from dataclasses import dataclass

from yett.sandbox.breaker import BreakerState


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatus:
    """How the pool is. Numbers of containers and calls; since the start where they count events.

    Attributes:
        alive: containers that live, may live, or are being made.
        making: of those, being made.
        warm: of those, ready and never used.
        leased: of those, with a call in them.
        idle: of those, a session's between two calls.
        waiting: calls that wait for a never-used container.
        refill_seconds: the median time to make one, lately; None as long as none was made.
        evicted: containers taken from an idle session for another's.
        refused: calls that were told to come back later.
        reaped: containers removed that nobody held.
        breaker: of the container engine.
    """

    alive: int
    making: int
    warm: int
    leased: int
    idle: int
    waiting: int
    refill_seconds: float | None
    evicted: int
    refused: int
    reaped: int
    breaker: BreakerState
