# SPDX-License-Identifier: Apache-2.0
"""The durable side of approvals: every change of state is checked, logged, written, then shown.

1. A change is checked against the table, handed to `on_transition` (the audit record), written by
   compare-and-set, and only then visible to readers and waiters. If the log refuses it, it did not
   happen. A crash between log and store leaves a logged change that did not take effect, never an
   effect that was not logged.
2. A change that has begun is not torn by the caller going away.
3. Whoever reads or changes holds `turn`; `on_transition` must not call back into this room.

It must never decide who may vote or what a key is. Called by `approvals.py` only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import anyio

from yett.action import ApprovalRecord, ApprovalState
from yett.approvals import states
from yett.approvals.expiry import Deadlines
from yett.approvals.records import Stored, from_document, to_document
from yett.approvals.settings import ApprovalSettings
from yett.errors import EnvironmentFault
from yett.ports import Clock, Store

OnTransition = Callable[[ApprovalRecord, ApprovalState | None, str], Awaitable[None]]
"""Called with the record as it will be, the state it leaves (None for a new one; the same state for
a vote that does not decide) and who did it (`person:kim`, `agent:research-1`, `gate:expiry`)."""

COLLECTION: Final = "approvals"


class Ledger:
    """Approval records in a `Store`, with an index in memory and events for those who wait."""

    def __init__(
        self, store: Store, clock: Clock, settings: ApprovalSettings, on_transition: OnTransition
    ) -> None:
        self.turn = anyio.Lock()
        self.deadlines = Deadlines(clock, settings.clock_skew)
        self._store = store
        self._settings = settings
        self._on_transition = on_transition
        self._latest: dict[str, str] = {}
        self._open: dict[str, dict[str, ApprovalRecord]] = {}
        self._finished: deque[tuple[str, str]] = deque()
        self._left_pending: dict[str, anyio.Event] = {}

    async def load(self) -> tuple[Stored, ...]:
        """Build the index from the store; every record, oldest first, without expiry applied."""
        found = await self._scan()
        self._latest.clear()
        self._open.clear()
        self._finished.clear()
        for stored in found:
            self._index(stored)
        return found

    async def every(self) -> tuple[Stored, ...]:
        """Every record, oldest first, with expiry applied."""
        return tuple([await self._current(stored) for stored in await self._scan()])

    async def read(self, approval: str) -> Stored | None:
        """The record of that id, with expiry applied."""
        document = await self._store.get(COLLECTION, approval)
        return None if document is None else await self._current(from_document(document))

    async def _scan(self) -> tuple[Stored, ...]:
        found = (from_document(document) for _, document in await self._store.scan(COLLECTION))
        return tuple(sorted(found, key=lambda stored: (stored.record.created_at, stored.record.id)))

    async def _current(self, stored: Stored) -> Stored:
        if stored.record.state in states.LIVE and self.deadlines.left(stored.record) <= 0:
            return await self.move(stored, stored.in_state(ApprovalState.EXPIRED), by="gate:expiry")
        return stored

    async def latest(self, key: str) -> Stored | None:
        """The newest record of a key, with expiry applied."""
        approval = self._latest.get(key)
        return None if approval is None else await self.read(approval)

    async def pending_of(self, agent: str) -> int:
        """How many questions of an agent stand open, with expiry applied."""
        # Judged without their arguments: one agent's megabytes would be read for each of its questions.
        for approval, record in tuple(self._open.get(agent, {}).items()):
            if self.deadlines.left(record) <= 0:
                await self.read(approval)
        return len(self._open.get(agent, ()))

    async def create(self, stored: Stored, *, by: str) -> None:
        """Write a new record, and let the oldest finished ones go."""
        await self._write(None, stored, by)
        while len(self._finished) > self._settings.history:
            await self._drop(*self._finished.popleft())

    async def move(self, before: Stored, after: Stored, *, by: str) -> Stored:
        """Replace a record by its next state.

        Raises:
            EnvironmentFault: the log or the store did not take it, or another process was first.
        """
        await self._write(before, after, by)
        return after

    def left_pending(self, approval: str) -> anyio.Event:
        """The event that is set when a record that is pending now stops being so."""
        return self._left_pending.setdefault(approval, anyio.Event())

    async def _write(self, before: Stored | None, after: Stored, by: str) -> None:
        was = None if before is None else before.record.state
        states.check(was, after.record.state)
        expected = None if before is None else to_document(before)
        try:
            with anyio.fail_after(self._settings.transition_deadline, shield=True):
                await self._on_transition(after.record, was, by)
                written = await self._store.swap(COLLECTION, after.record.id, expected, to_document(after))
        except TimeoutError as problem:
            raise EnvironmentFault(
                f"approval {after.record.id} could not be recorded in time",
                advice="Check the disk that holds the state directory and the audit log.",
            ) from problem
        if not written:
            raise EnvironmentFault(
                f"approval {after.record.id} was changed by another process",
                advice="Only one gateway may use a state directory.",
            )
        self._index(after)

    def _index(self, stored: Stored) -> None:
        record = stored.record
        self._latest[record.key] = record.id
        if record.state is ApprovalState.PENDING:
            self._open.setdefault(record.agent, {})[record.id] = replace(record, arguments={})
        else:
            self._open.get(record.agent, {}).pop(record.id, None)
            if (event := self._left_pending.pop(record.id, None)) is not None:
                event.set()
        if record.state in states.LIVE:
            self.deadlines.left(record)
        else:
            self.deadlines.forget(record.id)
        if states.is_terminal(record.state):
            self._finished.append((record.id, record.key))

    async def _drop(self, approval: str, key: str) -> None:
        if self._latest.get(key) == approval:
            del self._latest[key]
        document = await self._store.get(COLLECTION, approval)
        await self._store.swap(COLLECTION, approval, document, None)
