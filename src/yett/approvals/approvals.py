# SPDX-License-Identifier: Apache-2.0
"""Durable approval records (`ports.Approve`): propose, ask, vote, wait, spend once, finish.

1. A record covers one call (`binding.py`), is answered by those the rule names (`voting.py`), and
   lives by one table (`states.py`) and two clocks (`expiry.py`).
2. It is spent at most once, and only while its key is still the key of the current action and
   decision.
3. The agent's client may answer only where the rule names nobody, and only with a nonce of ours.

It must never run anything and never show an agent's words outside the argument table. Called by
the pipeline for agents, by the console and the command line for people.
"""

from __future__ import annotations

import hmac
from dataclasses import replace

import anyio

from yett.action import (
    Action,
    ApprovalRecord,
    ApprovalState,
    Decision,
    Effect,
    ElicitationAnswer,
    Outcome,
    Question,
    Status,
    Vote,
)
from yett.approvals import states, voting
from yett.approvals.binding import key_of, terms_of
from yett.approvals.ledger import Ledger, OnTransition
from yett.approvals.nonces import Nonces
from yett.approvals.records import Stored
from yett.approvals.render import render, visible
from yett.approvals.settings import ApprovalSettings
from yett.errors import BadRequest
from yett.ports import Clock, Entropy, Notify, Store

_RAN = frozenset({Status.OK, Status.TOOL_ERROR})


class Approvals:
    """The approvals room.

    Args:
        store: where records survive.
        clock: wall and monotonic time.
        entropy: ids and nonces.
        notify: told of each new question, after it is durable.
        settings: limits.
        on_transition: writes the audit record of each change; when it raises, there is no change.

    Call `recover` once before serving.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        entropy: Entropy,
        notify: Notify,
        settings: ApprovalSettings,
        on_transition: OnTransition,
    ) -> None:
        self._clock = clock
        self._entropy = entropy
        self._notify = notify
        self._settings = settings
        self._ledger = Ledger(store, clock, settings, on_transition)
        self._nonces = Nonces(clock, entropy, settings)

    async def recover(self) -> None:
        """After a start: what was executing is failed, its outcome unknown; open questions stay."""
        async with self._ledger.turn:
            for stored in await self._ledger.load():
                if stored.record.state is ApprovalState.EXECUTING:
                    lost = stored.in_state(ApprovalState.FAILED, note="outcome unknown")
                    await self._ledger.move(stored, lost, by="gate:recovery")
                elif stored.record.state in states.LIVE:
                    await self._ledger.read(stored.record.id)

    async def propose(self, action: Action, decision: Decision) -> ApprovalRecord:
        """The live record for this action (pending or approved), or a new pending one.

        A call that was denied a moment ago gets that denial back, so that asking again and again
        wears nobody down.

        Raises:
            BadRequest: too many open questions of this agent.
        """
        if decision.effect is not Effect.ASK:
            raise ValueError(f"a decision to {decision.effect} is not put to a person")
        key = key_of(action, decision)
        async with self._ledger.turn:
            known = await self._ledger.latest(key)
            if known is not None and (known.record.state in states.LIVE or self._just_denied(known.record)):
                return known.record
            agent = action.principal.agent
            if await self._ledger.pending_of(agent) >= self._settings.pending_per_agent:
                raise BadRequest(
                    f"Too many open questions: {self._settings.pending_per_agent} of this agent wait for a"
                    " person. Wait for answers before asking more."
                )
            record = self._new(action, decision, key)
            await self._ledger.create(Stored.new(record), by=f"agent:{agent}")
        self._notify.approval_pending(record)
        return record

    async def get(self, approval: str) -> ApprovalRecord | None:
        """The record of that id, with expiry applied."""
        async with self._ledger.turn:
            stored = await self._ledger.read(approval)
        return None if stored is None else stored.record

    async def all(self) -> tuple[ApprovalRecord, ...]:
        """Every record, newest first, with expiry applied."""
        async with self._ledger.turn:
            found = await self._ledger.every()
        return tuple(stored.record for stored in reversed(found))

    def question(self, record: ApprovalRecord) -> Question:
        """A question for the agent's own client, with a fresh one-shot nonce.

        Raises:
            BadRequest: the record is not pending, or its rule wants people to answer.
        """
        if record.state is not ApprovalState.PENDING or not record.terms.elicitation_suffices:
            raise BadRequest(f"Approval {record.id} is not for the agent's own client to answer.")
        nonce = self._nonces.make(record, self._ledger.deadlines.left(record))
        return Question(approval=record.id, nonce=nonce, message=render(record, self._settings))

    async def answer(self, record: ApprovalRecord, answer: ElicitationAnswer) -> ApprovalRecord:
        """Take a client's answer. The nonce is consumed whatever the outcome.

        An answer that says nobody was asked leaves the record as it is.

        Raises:
            BadRequest: a nonce that is unknown, used, expired or of another record; a record that is
                no longer pending or that people must answer.
        """
        if not self._nonces.take(answer.nonce, record):
            raise BadRequest("This answer belongs to no open question of this gate.")
        async with self._ledger.turn:
            stored = await self._pending(record.id)
            if not stored.record.terms.elicitation_suffices:
                raise BadRequest(f"Approval {record.id} is not for the agent's own client to answer.")
            if answer.approve is None:
                return stored.record
            vote = Vote(
                by=f"{voting.ELICITATION}:{stored.record.agent}",
                approve=answer.approve,
                at=self._clock.now(),
                reason="unverified: answered by the agent's own client",
            )
            return await self._voted(stored, vote, frozenset())

    async def vote(self, approval: str, vote: Vote, groups: frozenset[str]) -> ApprovalRecord:
        """Take a person's answer; `groups` are the person's own. The time of the vote is ours.

        Raises:
            BadRequest: no such record, no longer pending, or this person may not answer it.
        """
        if len(vote.reason) > self._settings.vote_reason_limit:
            raise BadRequest(f"A reason has at most {self._settings.vote_reason_limit} characters.")
        async with self._ledger.turn:
            stored = await self._pending(approval)
            if problem := voting.objection(stored.record, vote, groups):
                raise BadRequest(problem)
            return await self._voted(stored, replace(vote, at=self._clock.now()), groups)

    async def withdraw(self, approval: str, by: str) -> ApprovalRecord:
        """Take back a question, or an approval that was not used yet.

        Raises:
            BadRequest: no such record, or it is spent or over.
        """
        async with self._ledger.turn:
            stored = await self._ledger.read(approval)
            if stored is None or stored.record.state not in states.LIVE:
                raise _unknown(approval)
            withdrawn = stored.in_state(ApprovalState.WITHDRAWN, note=f"withdrawn by {by}")
            return (await self._ledger.move(stored, withdrawn, by=by)).record

    async def settled(self, approval: str, seconds: float) -> ApprovalRecord:
        """Wait up to `seconds` for the record to leave `pending`.

        Raises:
            BadRequest: no such record.
        """
        wait = min(seconds, self._settings.longest_wait) if seconds > 0 else 0.0
        until = anyio.current_time() + wait
        while True:
            record = await self.get(approval)
            if record is None:
                raise _unknown(approval)
            if record.state is not ApprovalState.PENDING or until <= anyio.current_time():
                return record
            event = self._ledger.left_pending(approval)
            left = min(until - anyio.current_time(), self._ledger.deadlines.left(record))
            with anyio.move_on_after(max(0.0, left)):
                await event.wait()

    async def consume(self, record: ApprovalRecord, action: Action, decision: Decision) -> bool:
        """Spend an approval for exactly this action: approved becomes executing, once and atomically.

        False when it is spent, over or unknown, or covers another call than this one is now.
        """
        if decision.effect is Effect.DENY:
            return False
        key = key_of(action, decision)
        async with self._ledger.turn:
            stored = await self._ledger.read(record.id)
            if stored is None or stored.record.state is not ApprovalState.APPROVED:
                return False
            if not hmac.compare_digest(stored.record.key, key):
                return False
            spent = stored.in_state(ApprovalState.EXECUTING)
            await self._ledger.move(stored, spent, by=f"agent:{action.principal.agent}")
            return True

    async def finish(self, approval: str, outcome: Outcome) -> None:
        """Executing becomes executed or failed."""
        state = ApprovalState.EXECUTED if outcome.status in _RAN else ApprovalState.FAILED
        async with self._ledger.turn:
            stored = await self._ledger.read(approval)
            if stored is None:
                raise ValueError(f"there is no approval {approval} to finish")
            # The detail may hold a private value; the status never does.
            await self._ledger.move(
                stored, stored.in_state(state, note=outcome.status.value), by="gate:outcome"
            )

    def _new(self, action: Action, decision: Decision, key: str) -> ApprovalRecord:
        terms, now, caller = terms_of(decision), self._clock.now(), action.principal
        return ApprovalRecord(
            id=self._entropy.id("apr"),
            key=key,
            state=ApprovalState.PENDING,
            agent=caller.agent,
            user=caller.user,
            lineage=caller.lineage,
            task=caller.task,
            tool=action.tool.name,
            target=action.tool.target,
            arguments=action.arguments,
            rule=decision.rule,
            reason=decision.reason,
            terms=terms,
            created_at=now,
            expires_at=now + terms.expires,
        )

    def _just_denied(self, record: ApprovalRecord) -> bool:
        if record.state is not ApprovalState.DENIED or not record.votes:
            return False
        return abs(self._clock.now() - record.votes[-1].at) < self._settings.deny_cooldown

    async def _pending(self, approval: str) -> Stored:
        stored = await self._ledger.read(approval)
        if stored is None:
            raise _unknown(approval)
        if stored.record.state is not ApprovalState.PENDING:
            raise BadRequest(f"Approval {approval} is {stored.record.state} already.")
        return stored

    async def _voted(self, stored: Stored, vote: Vote, groups: frozenset[str]) -> ApprovalRecord:
        terms = stored.record.terms
        votes = (*stored.record.votes, vote)
        covers = {**stored.covers, vote.by: voting.covered(terms, vote.by, groups)}
        counted = replace(stored, record=replace(stored.record, votes=votes), covers=covers)
        after = counted.in_state(voting.tally(terms, votes, covers))
        return (await self._ledger.move(stored, after, by=vote.by)).record


def _unknown(approval: str) -> BadRequest:
    return BadRequest(f"There is no open approval {visible(approval[:64])}.")
