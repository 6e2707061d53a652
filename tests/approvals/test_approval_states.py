# SPDX-License-Identifier: Apache-2.0
"""The table of states."""

from __future__ import annotations

import pytest

from yett.action import ApprovalState
from yett.approvals.states import LIVE, TRANSITIONS, check, is_terminal


@pytest.mark.parametrize("before", [*ApprovalState])
@pytest.mark.parametrize("after", [*ApprovalState])
def test_only_the_transitions_of_the_table_are_possible(before, after):
    if after in TRANSITIONS.get(before, ()):
        check(before, after)
    else:
        with pytest.raises(ValueError, match="can't go from"):
            check(before, after)


@pytest.mark.parametrize("after", [*ApprovalState])
def test_a_record_begins_pending(after):
    if after is ApprovalState.PENDING:
        check(None, after)
    else:
        with pytest.raises(ValueError, match="can't go from"):
            check(None, after)


def test_executing_is_entered_from_approved_alone_and_never_left_towards_a_run():
    assert [s for s in ApprovalState if ApprovalState.EXECUTING in TRANSITIONS.get(s, ())] == [
        ApprovalState.APPROVED
    ]
    assert all(is_terminal(after) for after in TRANSITIONS[ApprovalState.EXECUTING])


def test_no_terminal_state_is_live():
    assert not any(is_terminal(state) for state in LIVE)
