# SPDX-License-Identifier: Apache-2.0
"""The chain on disk, for one thread: open it, append to it, sign it, and take it up again after a fault.

Opening verifies the tail segment against the chain and the last checkpoint, cuts an incomplete last
line (it was never acknowledged) and names the intents that have no outcome. It must never continue a
chain that does not verify, nor sign what is not durable. `AuditLog` owns the one journal.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from yett.audit.checkpoint import CHECKPOINT_FILE, Checkpoint, SigningKey
from yett.audit.files import Segment, SegmentWriter, segments, write_atomically
from yett.audit.record import FIRST_PREVIOUS, Draft, read_event, read_link
from yett.audit.settings import AuditSettings
from yett.errors import AuditUnavailable

LOCK_FILE = "lock"
_OPENED = b'"what":"log-opened"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What opening found.

    `cut` is how many bytes of a torn last line were cut off; `unfinished` are the ids of the actions
    that were about to run and have no outcome, oldest first.
    """

    cut: int
    unfinished: tuple[str, ...]


class Journal:
    """The chain's head, the open segment and the key. Not for two threads."""

    def __init__(self, folder: Path, settings: AuditSettings) -> None:
        self._folder = folder
        self._settings = settings
        self._lock = -1
        self._key: SigningKey | None = None
        self._writer: SegmentWriter | None = None
        self._first = 1
        self._length = 0
        self.sequence = 0
        self._head = FIRST_PREVIOUS
        self._signed = -1

    @property
    def unsigned(self) -> bool:
        """Whether records were appended since the last checkpoint."""
        return self._signed != self.sequence

    def open(self) -> Found:
        """Lock, verify and take up the log.

        Raises:
            AuditUnavailable: another process writes it, it can't be read, or it does not verify.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_lock()
            return self._load()
        except (OSError, ValueError) as error:
            self.close()
            raise AuditUnavailable(
                f"the audit log in {self._folder} can't be opened: {error}",
                advice=f"Run `yett audit verify`; keep {self._folder} and start with another folder.",
            ) from error

    def append(self, drafts: list[Draft]) -> None:
        """Append records and make them durable, all of them or none.

        Raises:
            OSError: none of them.
        """
        sequence, head, lines = self.sequence, self._head, []
        for item in drafts:
            sequence += 1
            line, head = item.seal(sequence, head, self._signer.origin)
            lines.append(line)
        writer = self._open_writer()
        writer.append(b"".join(lines))
        self.sequence, self._head, self._length = sequence, head, writer.length

    def checkpoint(self) -> None:
        """Sign the present end of the log.

        Raises:
            OSError: the checkpoint could not be written; the old one stands.
        """
        if not self.unsigned:
            return
        key = self._signer
        note = key.sign(Checkpoint(origin=key.origin, size=self.sequence, head=self._head))
        write_atomically(self._folder / CHECKPOINT_FILE, note.encode())
        self._signed = self.sequence

    def recover(self) -> None:
        """Take the log up again after a fault, exactly where the last durable record ended.

        Raises:
            OSError: it still can't be written.
        """
        if self._writer is not None:
            self._writer.close()
        self._writer = None
        if self._length and all(segment.first != self._first for segment in segments(self._folder)):
            raise OSError("the open segment is gone")
        self._open_writer()

    def close(self) -> None:
        """Let go of the files and the lock."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def _signer(self) -> SigningKey:
        if self._key is None:
            raise OSError("the log is not open")
        return self._key

    def _take_lock(self) -> None:
        self._lock = os.open(
            self._folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError("another process writes it") from error

    def _open_writer(self) -> SegmentWriter:
        """The open segment; a new one when the present one is full."""
        full = self._length >= self._settings.segment_bytes
        if self._writer is not None and not full:
            return self._writer
        if not full:
            self._writer = SegmentWriter(self._folder, self._first, self._length)
            return self._writer
        writer = SegmentWriter(self._folder, self.sequence + 1, 0)
        if self._writer is not None:
            self._writer.finish()
        self._writer, self._first, self._length = writer, self.sequence + 1, 0
        return writer

    def _load(self) -> Found:
        present = segments(self._folder)
        note = self._folder / CHECKPOINT_FILE
        self._key = SigningKey.load_or_make(self._folder, fresh=not present and not note.exists())
        if not present and not note.exists():
            self.checkpoint()
        anchor = self._key.public.open(note.read_text())
        cut = self._load_tail(present, anchor) if present else 0
        if self.sequence < anchor.size:
            raise ValueError(f"it ends at record {self.sequence}, but {anchor.size} were signed")
        self._signed = anchor.size
        self._open_writer()
        return Found(cut=cut, unfinished=_unfinished(present))

    def _load_tail(self, present: tuple[Segment, ...], anchor: Checkpoint) -> int:
        """Verify the last segment and leave the chain's head at its end; the bytes of a torn last line."""
        tail = present[-1]
        self._first, self.sequence = tail.first, tail.first - 1
        if tail.first > 1:
            self._head = _last_hash(present)
        if self.sequence == anchor.size and self._head != anchor.head:
            raise ValueError(f"record {anchor.size} is not the one that was signed")
        torn = 0
        with tail.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    torn = len(line)
                    break
                self._follow(line[:-1], anchor)
                self._length += len(line)
        return torn

    def _follow(self, line: bytes, anchor: Checkpoint) -> None:
        link = read_link(line)
        number = self.sequence + 1
        if link is None or not link.intact or link.sequence != number or link.previous != self._head:
            raise ValueError(f"record {number} was changed")
        if number == anchor.size and link.hash != anchor.head:
            raise ValueError(f"record {number} is not the one that was signed")
        self.sequence, self._head = number, link.hash


def _last_hash(present: tuple[Segment, ...]) -> str:
    """The hash of the last record before the tail segment."""
    if len(present) < 2:
        raise ValueError(f"the segments before record {present[-1].first} are missing")
    with present[-2].path.open("rb") as file:
        last = next(iter(deque(file, maxlen=1)), b"")
    link = read_link(last[:-1]) if last.endswith(b"\n") else None
    if link is None or not link.intact or link.sequence != present[-1].first - 1:
        raise ValueError(f"the segment before record {present[-1].first} is damaged")
    return link.hash


def _unfinished(present: tuple[Segment, ...]) -> tuple[str, ...]:
    """The intents without an outcome since the gate last opened this log, which closed all before."""
    parts: list[list[tuple[str, str]]] = []
    for segment in reversed(present):
        events, opened = _calls(segment)
        parts.append(events)
        if opened:
            break
    running: dict[str, None] = {}
    for events in reversed(parts):
        for event, action in events:
            if event == "intent":
                running[action] = None
            else:
                running.pop(action, None)
    return tuple(running)


def _calls(segment: Segment) -> tuple[list[tuple[str, str]], bool]:
    """The intents and outcomes of a segment, and whether the log was opened anywhere in it."""
    events: list[tuple[str, str]] = []
    opened = False
    with segment.path.open("rb") as file:
        for line in file:
            found = read_event(line)
            if found is None:
                continue
            event, action = found
            if event in {"intent", "outcome"}:
                events.append((event, str(json.loads(action))))
            opened = opened or (event == "system" and _OPENED in line)
    return events, opened


__all__ = ["Found", "Journal"]
