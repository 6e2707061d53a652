# SPDX-License-Identifier: Apache-2.0
"""Who may answer a question, and when the answers suffice.

1. `approvers` must be covered together by the distinct people who approve, and there must be at
   least `need` of them. One person with two roads in (`person:kim`, `operator:kim`) is one person.
2. Any denial by someone entitled denies.
3. An operator of this machine counts only where the rule names no approvers.
4. With `not_requester` the user on whose behalf the agent acts may not answer, and nobody may
   approve while that user is unknown.

Pure. Called by `approvals.py` for every vote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from yett.action import ApprovalRecord, ApprovalState, ApprovalTerms, Vote

PERSON: Final = "person"
OPERATOR: Final = "operator"
ELICITATION: Final = "elicitation"


def name_of(voter: str) -> str:
    """The human's name behind `person:<name>` or `operator:<name>`."""
    return voter.partition(":")[2]


def covered(terms: ApprovalTerms, voter: str, groups: frozenset[str]) -> frozenset[str]:
    """The entries of `terms.approvers` that this voter stands for."""
    if voter.partition(":")[0] != PERSON:
        return frozenset()
    return terms.approvers & (groups | {name_of(voter)})


def objection(record: ApprovalRecord, vote: Vote, groups: frozenset[str]) -> str | None:
    """Why this person may not give this answer, in one sentence, or None."""
    kind, _, name = vote.by.partition(":")
    terms = record.terms
    if kind not in {PERSON, OPERATOR} or not name:
        return "Only an authenticated person or an operator can answer an approval."
    if kind == OPERATOR and terms.approvers:
        return f"Rule {record.rule} names approvers; an operator can't answer for them."
    if kind == PERSON and terms.approvers and not covered(terms, vote.by, groups):
        return f"{name} is not among the approvers of rule {record.rule}."
    return _requester_objection(record, vote) or _repeated(record, vote)


def _requester_objection(record: ApprovalRecord, vote: Vote) -> str | None:
    if not record.terms.not_requester:
        return None
    if record.user == name_of(vote.by):
        return f"Rule {record.rule} does not let the requester answer."
    if record.user is None and vote.approve:
        return f"Rule {record.rule} excludes the requester, and who that is, is not known."
    return None


def _repeated(record: ApprovalRecord, vote: Vote) -> str | None:
    # Turning one's own approval into a denial is always possible: it is the safer direction.
    if vote.approve and name_of(vote.by) in {name_of(v.by) for v in record.votes}:
        return f"{name_of(vote.by)} has answered already."
    return None


def tally(terms: ApprovalTerms, votes: Iterable[Vote], covers: Mapping[str, frozenset[str]]) -> ApprovalState:
    """Where the votes given so far leave the record: pending, approved or denied.

    `covers` says for each voter which approvers they stood for when they voted.
    """
    votes = tuple(votes)
    if any(not vote.approve for vote in votes):
        return ApprovalState.DENIED
    people = {name_of(vote.by) for vote in votes}
    together = frozenset[str]().union(*(covers.get(vote.by, frozenset()) for vote in votes))
    enough = len(people) >= max(1, terms.need) and together >= terms.approvers
    return ApprovalState.APPROVED if enough else ApprovalState.PENDING
