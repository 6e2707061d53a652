# SPDX-License-Identifier: Apache-2.0
"""Decisions that ask, and votes, for the tests of this folder."""

from yett.action import ApprovalTerms, Decision, Effect, Vote
from yett.testing import make_action


def ask(**terms):
    return Decision(
        effect=Effect.ASK, rule="mail-out", reason="Mail leaves.", approval=ApprovalTerms(**terms)
    )


def yes(by="operator:root", **more):
    return Vote(by=by, approve=True, at=0.0, **more)


def no(by="operator:root", **more):
    return Vote(by=by, approve=False, at=0.0, **more)


NOBODY = frozenset()


async def approved(desk, action=None, decision=None):
    record = await desk.approvals.propose(action or make_action(), decision or ask())
    return await desk.approvals.vote(record.id, yes(), NOBODY)
