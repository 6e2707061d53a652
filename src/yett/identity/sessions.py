# SPDX-License-Identifier: Apache-2.0
"""Sessions (`ports.Sessions`): minted here, one for an agent and its user, outliving connections.

1. Within the idle limit a caller continues its session; after it a new one of the same lineage
   follows, which inherits the labels. So neither waiting nor reconnecting washes anything off; only
   `open_clean`, which a person asks for, does.
2. Labels are durable before `label` returns. A label that arrives for a session that ended goes to
   the caller's present session too, even to a clean one: that is who reads the result.
3. After an unclean stop every session that was open comes back `untrusted`: labels of its last
   results may not have been written.
4. A frozen or killed session refuses its caller until an operator releases it; a new connection is
   no way around that.

It must never believe a session id of a caller. Called by `agents.py`, the pipeline (`label`), and
operators through the gateway.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import anyio
import structlog

from yett.action import UNTRUSTED, Label
from yett.errors import BadRequest, Unauthenticated
from yett.identity.session_record import SessionRecord, SessionState, from_document, to_document
from yett.identity.settings import SessionSettings
from yett.ports import Clock, Entropy, Session, Store

log = structlog.get_logger("yett.identity")

COLLECTION: Final = "sessions"
MARKS: Final = "session_marks"
CLEAN_STOP: Final = "clean_stop"

OnEnd = Callable[[str], Awaitable[None]]
"""Called with the id of a session that ended, so that its container and grants end too."""


class SessionStopped(Unauthenticated):
    """The caller's session was frozen or killed by an operator."""

    rule = "gate.session-stopped"


class SessionBook:
    """Every session of this gate, in memory and in the store. Call `load` before serving.

    Args:
        store: where sessions survive.
        clock: wall and monotonic time.
        entropy: session ids.
        settings: limits.
        on_end: tears down what belonged to a session; its own deadline is `settings.end_deadline`.
    """

    def __init__(
        self, *, store: Store, clock: Clock, entropy: Entropy, settings: SessionSettings, on_end: OnEnd
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._settings = settings
        self._on_end = on_end
        self._records: dict[str, SessionRecord] = {}
        self._latest: dict[tuple[str, str | None], str] = {}
        self._seen: dict[str, tuple[float, float]] = {}
        self._changing = anyio.Lock()

    async def load(self) -> bool:
        """Read the sessions; taint those of an unclean stop. Whether the last stop was clean."""
        documents = await self._store.scan(COLLECTION)
        for record in sorted((from_document(d) for _, d in documents), key=lambda r: (r.number, r.id)):
            self._remember(record)
            self._seen[record.id] = (record.last_seen, self._clock.monotonic())
        mark = await self._store.get(MARKS, CLEAN_STOP)
        if mark is None:
            await self.mark_unclean()
            return not self._records
        await self._store.swap(MARKS, CLEAN_STOP, mark, None)
        return True

    async def close(self) -> None:
        """Say that the gate stops in order: no call is running and every label is written."""
        async with self._changing:
            for record in self._open():
                await self._write(replace(record, last_seen=self._seen[record.id][0]))
            await self._store.put(MARKS, CLEAN_STOP, {"at": self._clock.now()})

    async def mark_unclean(self) -> None:
        """Label every session that is not ended `untrusted`, durably."""
        async with self._changing:
            for record in self._open():
                await self._write(replace(record, labels=record.labels | {UNTRUSTED}))

    async def continue_or_open(self, agent: str, user: str | None) -> Session:
        """The agent's session within the idle limit, or a new one that inherits its labels.

        Raises:
            SessionStopped: an operator froze or killed it.
        """
        record = self._current(agent, user)
        if record is None or self._is_idle(record) or self._is_stale(record):
            record = await self._continue_slowly(agent, user)
        self._seen[record.id] = (self._clock.now(), self._clock.monotonic())
        return Session(id=record.id, lineage=record.lineage, labels=record.labels)

    async def label(self, session: str, labels: frozenset[Label]) -> None:
        """Add labels to a session. They are durable when this returns.

        Raises:
            BadRequest: no such session, or more labels than the limit; the result must not go out.
        """
        async with self._changing:
            record = self._known(session)
            for heir in {session, self._latest[record.agent, record.user]}:
                before = self._records[heir]
                together = before.labels | labels
                if len(together) > self._settings.labels:
                    raise BadRequest(f"A session has at most {self._settings.labels} labels.")
                if together != before.labels:
                    await self._write(replace(before, labels=together))

    async def end(self, session: str) -> None:
        """Close a session; what belongs to it ends with it. The next call opens its successor."""
        await self._stop(session, SessionState.ENDED)

    async def kill(self, session: str) -> None:
        """Close a session and refuse its caller until `release`."""
        await self._stop(session, SessionState.KILLED)

    async def freeze(self, session: str) -> None:
        """Refuse the session's caller until `release`, and keep what belongs to it."""
        async with self._changing:
            record = self._known(session)
            if record.state is not SessionState.LIVE:
                raise BadRequest(f"Session {session} is {record.state}.")
            await self._write(replace(record, state=SessionState.FROZEN))

    async def release(self, session: str) -> None:
        """Let a frozen session go on, or a killed one's caller open its successor."""
        async with self._changing:
            record = self._known(session)
            if record.state not in {SessionState.FROZEN, SessionState.KILLED}:
                raise BadRequest(f"Session {session} is {record.state}.")
            frozen = record.state is SessionState.FROZEN
            await self._write(replace(record, state=SessionState.LIVE if frozen else SessionState.ENDED))

    async def open_clean(self, agent: str, user: str | None) -> Session:
        """A session of a new lineage without labels. Only a person may ask for this.

        Raises:
            SessionStopped: the session it would replace is frozen or killed.
        """
        before = self._current(agent, user)
        if before is not None:
            await self.end(before.id)
        async with self._changing:
            record = await self._open_new(agent, user, None)
        return Session(id=record.id, lineage=record.lineage, labels=record.labels)

    async def end_idle(self) -> int:
        """End every live session that is over the idle limit, and say how many. For a periodic task."""
        idle = [r.id for r in self._open() if r.state is SessionState.LIVE and self._is_idle(r)]
        for session in idle:
            await self.end(session)
        return len(idle)

    def list(self) -> tuple[SessionRecord, ...]:
        """Every session that is kept, newest first."""
        return tuple(sorted(self._records.values(), key=lambda r: r.number, reverse=True))

    async def _continue_slowly(self, agent: str, user: str | None) -> SessionRecord:
        """The way that writes: a new session, a session after idling, or a last use worth writing."""
        ended: SessionRecord | None = None
        async with self._changing:
            record = self._current(agent, user)
            if record is not None and self._is_idle(record):
                ended = record
                await self._write(replace(record, state=SessionState.ENDED))
                record = None
            if record is None:
                latest = self._latest.get((agent, user))
                record = await self._open_new(agent, user, self._records[latest] if latest else None)
            elif self._is_stale(record):
                record = await self._write(replace(record, last_seen=self._clock.now()))
        if ended is not None:
            await self._tear_down(ended.id)
        return record

    async def _open_new(
        self, agent: str, user: str | None, predecessor: SessionRecord | None
    ) -> SessionRecord:
        session, now = self._entropy.id("ses"), self._clock.now()
        record = SessionRecord(
            id=session,
            number=1 + max((r.number for r in self._records.values()), default=0),
            lineage=predecessor.lineage if predecessor else session,
            agent=agent,
            user=user,
            labels=predecessor.labels if predecessor else frozenset(),
            opened_at=now,
            last_seen=now,
        )
        self._seen[session] = (now, self._clock.monotonic())
        await self._write(record)
        await self._forget_oldest()
        return record

    async def _stop(self, session: str, state: SessionState) -> None:
        async with self._changing:
            record = self._known(session)
            if record.state in {SessionState.ENDED, SessionState.KILLED}:
                return
            if record.state is SessionState.FROZEN:
                state = SessionState.KILLED  # ending a session never lifts what an operator stopped
            await self._write(replace(record, state=state))
        await self._tear_down(session)

    async def _tear_down(self, session: str) -> None:
        with anyio.move_on_after(self._settings.end_deadline) as scope:
            await self._on_end(session)
        if scope.cancelled_caught:
            # The session is over all the same; the sandbox's reaper takes what was left.
            log.warning("what belonged to a session did not end in time", session=session)

    def _current(self, agent: str, user: str | None) -> SessionRecord | None:
        """The caller's open session, if any.

        Raises:
            SessionStopped: an operator froze or killed it.
        """
        latest = self._latest.get((agent, user))
        record = None if latest is None else self._records[latest]
        if record is None or record.state is SessionState.ENDED:
            return None
        if record.state is not SessionState.LIVE:
            raise SessionStopped(
                "An operator of this gate has stopped this session. Nothing runs until they release it.",
                advice=f"`yett sessions list` shows it: {record.id} is {record.state}.",
            )
        return record

    def _is_idle(self, record: SessionRecord) -> bool:
        wall, monotonic = self._seen[record.id]
        by_wall = self._clock.now() - wall
        by_monotonic = self._clock.monotonic() - monotonic
        if by_wall < -self._settings.clock_skew:
            return True
        return max(by_wall, by_monotonic) >= self._settings.idle_limit

    def _is_stale(self, record: SessionRecord) -> bool:
        return abs(self._clock.now() - record.last_seen) >= self._settings.touch_interval

    def _open(self) -> tuple[SessionRecord, ...]:
        return tuple(r for r in self._records.values() if r.state is not SessionState.ENDED)

    def _known(self, session: str) -> SessionRecord:
        record = self._records.get(session)
        if record is None:
            raise BadRequest("There is no such session.")
        return record

    async def _write(self, record: SessionRecord) -> SessionRecord:
        # A caller who goes away must not leave a session in the store that memory knows nothing of.
        with anyio.CancelScope(shield=True):
            await self._store.put(COLLECTION, record.id, to_document(record))
        self._remember(record)
        return record

    def _remember(self, record: SessionRecord) -> None:
        self._records[record.id] = record
        latest = self._latest.get((record.agent, record.user))
        if latest is None or self._records[latest].number <= record.number:
            self._latest[record.agent, record.user] = record.id

    async def _forget_oldest(self) -> None:
        """Drop ended sessions beyond the history, never the last one of a caller: it holds the labels."""
        latest = set(self._latest.values())
        ended = [r for r in self._records.values() if r.state is SessionState.ENDED and r.id not in latest]
        ended.sort(key=lambda record: record.number)
        for record in ended[: max(0, len(ended) - self._settings.history)]:
            await self._store.swap(COLLECTION, record.id, to_document(record), None)
            del self._records[record.id]
            del self._seen[record.id]
