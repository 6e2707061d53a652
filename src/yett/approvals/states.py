# SPDX-License-Identifier: Apache-2.0
"""The life of an approval record, as a table.

Rule 1: a state that is not a key of the table is terminal; nothing leaves it.
Rule 2: `executing` is entered once. What is lost there is `failed`, never run again.
Rule 3: `pending` to `pending` is a vote that does not decide yet.

Pure. Called by `ledger.py` before every write.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from yett.action import ApprovalState as State

TRANSITIONS: Final[Mapping[State, frozenset[State]]] = MappingProxyType(
    {
        State.PENDING: frozenset(
            {State.PENDING, State.APPROVED, State.DENIED, State.EXPIRED, State.WITHDRAWN}
        ),
        State.APPROVED: frozenset({State.EXECUTING, State.EXPIRED, State.WITHDRAWN}),
        State.EXECUTING: frozenset({State.EXECUTED, State.FAILED}),
    }
)

LIVE: Final = frozenset({State.PENDING, State.APPROVED})
"""The states in which a record can still lead to a run. Only these expire."""


def is_terminal(state: State) -> bool:
    """Whether nothing leaves this state."""
    return state not in TRANSITIONS


def check(before: State | None, after: State) -> None:
    """Refuse a transition that is not in the table. None is "no record yet".

    Raises:
        ValueError: the caller is broken.
    """
    allowed = {State.PENDING} if before is None else TRANSITIONS.get(before, frozenset())
    if after not in allowed:
        raise ValueError(f"an approval can't go from {before} to {after}")
