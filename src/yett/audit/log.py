# SPDX-License-Identifier: Apache-2.0
"""`AuditLog`: the log as the pipeline sees it. Records are durable before anything runs.

One writer thread makes each group of waiting records durable with one `fdatasync`, so that many
callers share the price of one. Once the disk has refused, the log is broken: whoever waits and whoever
comes gets `AuditUnavailable`, until a later commit finds that the disk takes records again. It must
never report a record as durable that is not, and never change the order in which records were handed
over. `app.py` makes one a process; the pipeline calls `commit` and `note`.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio

from yett.action import AuditRecord
from yett.audit.journal import Journal
from yett.audit.record import Draft, draft
from yett.audit.settings import AuditSettings
from yett.errors import AuditUnavailable
from yett.ports import Clock

_Done = Callable[[AuditUnavailable | None], None]


@dataclass(frozen=True, slots=True)
class _Ticket:
    """Records handed over together. `done` is None for those that nobody waits for."""

    drafts: tuple[Draft, ...]
    done: _Done | None


class AuditLog:
    """The audit log in one folder. Implements `ports.Audit`."""

    def __init__(self, folder: Path, settings: AuditSettings, clock: Clock) -> None:
        """Nothing is touched before `open`."""
        self._settings = settings
        self._clock = clock
        self._journal = Journal(folder, settings)
        self._changed = threading.Condition()
        self._queue: deque[_Ticket] = deque()
        self._waiting = 0
        self._urgent = False
        self._notes_due = 0.0
        self._checkpoint_due = 0.0
        self._retry_at = 0.0
        self._broken: AuditUnavailable | None = None
        self._closing = False
        self._lost: list[str] = []
        self._writer = threading.Thread(target=self._write_groups, name="yett-audit", daemon=True)
        self.unfinished: tuple[str, ...] = ()

    def open(self) -> tuple[str, ...]:
        """Verify and take up the log, and start writing. Blocks on the disk; call it at start-up.

        Returns the ids of the actions that were about to run when the last gateway stopped and whose
        outcome is not known. Each has been given an outcome record with status `unknown`.

        Raises:
            AuditUnavailable: another process writes the log, it can't be written, or does not verify.
        """
        found = self._journal.open()
        self.unfinished = found.unfinished
        records = [_unknown(action, "the gate stopped before the outcome") for action in found.unfinished]
        if found.cut:
            records.append(_system("log-cut", bytes=found.cut))
        records.append(_system("log-opened", unfinished=len(found.unfinished)))
        try:
            self._journal.append([draft(record, self._clock.now()) for record in records])
            self._journal.checkpoint()
        except OSError as error:
            self._journal.close()
            raise AuditUnavailable(f"the audit log can't be written: {error}") from error
        self._writer.start()
        return found.unfinished

    def close(self) -> None:
        """Write what is waiting, sign it, and let go of the log. Blocks on the disk."""
        with self._changed:
            if self._closing or not self._writer.is_alive():
                self._closing = True
                self._journal.close()
                return
            if self._broken is None:
                self._put(_Ticket((draft(_system("log-closed"), self._clock.now()),), None))
            self._closing = True
            self._changed.notify()
        self._writer.join(self._settings.commit_timeout)
        if not self._writer.is_alive():
            self._journal.close()

    def __enter__(self) -> Self:
        """As `open`."""
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As `close`."""
        self.close()

    async def commit(self, *records: AuditRecord) -> None:
        """Append records; they are on stable storage when this returns.

        When it is cancelled the records may still be written.

        Raises:
            AuditUnavailable: they are not on stable storage, as far as is known.
        """
        drafts = self._drafts(records)
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()

        def settle(error: AuditUnavailable | None) -> None:
            if written.done():
                return
            if error is None:
                written.set_result(None)
            else:
                written.set_exception(AuditUnavailable(str(error), advice=error.advice()))

        def done(error: AuditUnavailable | None) -> None:
            loop.call_soon_threadsafe(settle, error)

        with self._changed:
            self._admit(len(drafts), may_retry=True)
            self._put(_Ticket(drafts, done))
        with anyio.move_on_after(self._settings.commit_timeout):
            await written
            return
        raise AuditUnavailable(f"the disk gave no answer within {self._settings.commit_timeout:g} s")

    def note(self, record: AuditRecord) -> None:
        """Append a record in order, durable with the next commit or within the flush interval.

        Raises:
            AuditUnavailable: the log is already known to be broken, or too much waits for the disk.
        """
        drafts = self._drafts((record,))
        with self._changed:
            self._admit(1, may_retry=False)
            self._put(_Ticket(drafts, None))

    def _drafts(self, records: tuple[AuditRecord, ...]) -> tuple[Draft, ...]:
        at = self._clock.now()
        drafts = tuple(draft(record, at) for record in records)
        for item in drafts:
            if item.size > self._settings.record_bytes:
                raise AuditUnavailable(
                    f"a record of {item.size} bytes is over the limit of {self._settings.record_bytes}"
                )
        return drafts

    def _admit(self, count: int, *, may_retry: bool) -> None:
        """Refuse at once what can't be written now. The lock is held."""
        if self._closing or not self._writer.is_alive():
            raise AuditUnavailable("the audit log is closed")
        if self._broken is not None and not (may_retry and self._clock.monotonic() >= self._retry_at):
            raise AuditUnavailable(str(self._broken), advice=self._broken.advice())
        if self._waiting + count > self._settings.queue_records:
            raise AuditUnavailable(f"{self._waiting} records already wait for the disk")

    def _put(self, ticket: _Ticket) -> None:
        if not self._queue:
            self._notes_due = self._clock.monotonic() + self._settings.flush_interval
        if not self._queue or ticket.done is not None:
            self._changed.notify()
        self._urgent = self._urgent or ticket.done is not None
        self._queue.append(ticket)
        self._waiting += len(ticket.drafts)

    def _write_groups(self) -> None:
        """The writer thread."""
        self._checkpoint_due = self._clock.monotonic() + self._settings.checkpoint_interval
        while True:
            group = self._next_group()
            if group:
                self._write(group)
            self._sign_if_due()
            with self._changed:
                if self._closing and not self._queue:
                    return

    def _next_group(self) -> list[_Ticket]:
        """All that is queued, once somebody waits for it or its time has come; may be nothing."""
        with self._changed:
            while not (self._closing or self._urgent):
                now, due = self._clock.monotonic(), self._next_due()
                if due is not None and now >= due:
                    break
                self._changed.wait(None if due is None else due - now)
            group = list(self._queue)
            self._queue.clear()
            self._urgent = False
            return group

    def _next_due(self) -> float | None:
        dues = [self._notes_due] if self._queue else []
        if self._journal.unsigned and self._broken is None:
            dues.append(self._checkpoint_due)
        return min(dues, default=None)

    def _write(self, group: list[_Ticket]) -> None:
        drafts = [item for ticket in group for item in ticket.drafts]
        try:
            if self._broken is not None:
                self._journal.recover()
                drafts = [*self._recovered(), *drafts]
            self._journal.append(drafts)
        except OSError as error:
            self._break(error, drafts)
        else:
            with self._changed:
                if self._broken is not None:
                    self._broken, self._lost = None, []
        with self._changed:
            self._waiting -= sum(len(ticket.drafts) for ticket in group)
            failure = self._broken
        for ticket in group:
            if ticket.done is not None:
                try:
                    ticket.done(failure)
                except RuntimeError:  # the caller's event loop is gone, and the caller with it
                    continue

    def _sign_if_due(self) -> None:
        if self._broken is not None or not (self._closing or self._clock.monotonic() >= self._checkpoint_due):
            return
        try:
            self._journal.checkpoint()
        except OSError as error:
            self._break(error, [])
        self._checkpoint_due = self._clock.monotonic() + self._settings.checkpoint_interval

    def _break(self, error: OSError, drafts: list[Draft]) -> None:
        with self._changed:
            self._broken = AuditUnavailable(
                f"the audit log can't be written: {error}",
                advice="Free the disk or repair the folder; the gate tries again by itself.",
            )
            self._retry_at = self._clock.monotonic() + self._settings.retry_interval
            self._lost += [
                item.action for item in drafts if item.event == "outcome" and item.action not in self._lost
            ]

    def _recovered(self) -> list[Draft]:
        """What a log that can be written again says first: that it was not, and which outcomes that cost."""
        records = [_system("log-recovered", reason=str(self._broken), lost=len(self._lost))]
        records += [_unknown(action, "the log could not be written at the outcome") for action in self._lost]
        return [draft(record, self._clock.now()) for record in records]


def _unknown(action: str, detail: str) -> AuditRecord:
    return AuditRecord(event="outcome", action=action, fields={"status": "unknown", "detail": detail})


def _system(what: str, **fields: str | int) -> AuditRecord:
    return AuditRecord(event="system", fields={"what": what, **fields})


__all__ = ["AuditLog"]
