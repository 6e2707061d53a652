# SPDX-License-Identifier: Apache-2.0
"""The limits of the approvals room. Plain values with safe defaults; `app.py` fills them in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSettings:
    """Limits of `Approvals`. Times are seconds, sizes are bytes of UTF-8.

    `pending_per_agent` bounds open questions; `deny_cooldown` is how long a denied call is answered
    with that denial instead of a new question; `clock_skew` is how far the wall clock may stand
    before a record's creation; `history` is how many finished records are kept;
    `transition_deadline` bounds one change of state, its audit record included; `longest_wait`
    bounds `settled`. `questions` bounds open nonces, `questions_per_record` those of one record.
    """

    pending_per_agent: int = 20
    deny_cooldown: float = 60.0
    clock_skew: float = 5.0
    history: int = 1000
    transition_deadline: float = 15.0
    longest_wait: float = 3600.0
    questions: int = 1000
    questions_per_record: int = 4
    vote_reason_limit: int = 1000
    shown_value_limit: int = 2000
    shown_arguments_limit: int = 16_000
