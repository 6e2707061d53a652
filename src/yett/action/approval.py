# SPDX-License-Identifier: Apache-2.0
"""A person's answer, and the record that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from yett.action.decision import ApprovalTerms
from yett.action.values import JsonObject


class ApprovalState(StrEnum):
    """Where an approval record is in its life."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    EXECUTING = "executing"
    EXECUTED = "executed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's answer. `by` is `person:<name>`, `operator:<user>` or `elicitation:<agent>`."""

    by: str
    approve: bool
    at: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRecord:
    """One question to people, covering exactly one action. Times are Unix seconds.

    `key` is the digest of all that law 4 binds: agent, user, session lineage, task, tool, tool
    definition, execution target, canonical arguments and obligations.
    """

    id: str
    key: str
    state: ApprovalState
    agent: str
    user: str | None
    lineage: str
    task: str | None
    tool: str
    target: str
    arguments: JsonObject
    rule: str
    reason: str
    terms: ApprovalTerms
    created_at: float
    expires_at: float
    votes: tuple[Vote, ...] = ()
    note: str = ""
