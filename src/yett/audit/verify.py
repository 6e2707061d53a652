# SPDX-License-Identifier: Apache-2.0
"""`verify`: is this log whole and unedited? Says where it is not, in words.

Reads files only, in one pass, and needs no running gateway. Each line's hash, the chain, the numbers,
the segment names and the signed checkpoint are checked; records after the checkpoint are chained but
not yet signed, so those are also parsed strictly. It must never repair anything, nor call a log good
that it could not read. `yett audit verify` calls it. What it cannot prove is in docs/audit.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from yett.action import canonical_json
from yett.audit.checkpoint import CHECKPOINT_FILE, PUBLIC_KEY_FILE, Checkpoint, PublicKey
from yett.audit.files import Segment, segments
from yett.audit.record import FIRST_PREVIOUS, Link, read_event, read_link, read_time

LINE_LIMIT = 64 << 20
"""A line longer than this many bytes is not ours and is not held in memory."""

PROBLEM_LIMIT = 1_000
"""So many problems are described; a log with more is not read further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: in which file, on which line (0: the file itself), at which record."""

    file: str
    line: int
    sequence: int
    what: str

    def __str__(self) -> str:
        """The problem as a sentence."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was found. `signed` is how many records the checkpoint covers, `head` the last hash.

    `notes` are facts worth knowing that are no evidence of editing; `unfinished` are the ids of the
    actions with an intent and no outcome.
    """

    records: int
    segments: int
    signed: int
    head: str
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    unfinished: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def unsigned(self) -> int:
        """How many records are chained but not yet covered by a signature."""
        return max(0, self.records - self.signed)


def verify(folder: Path, *, public_key: str | None = None, checkpoints: Sequence[str] = ()) -> VerifyReport:
    """Check the log in a folder.

    Args:
        folder: the log's folder.
        public_key: the text of `key.pub` as it was saved elsewhere; without it, the folder's own is
            believed.
        checkpoints: texts of `checkpoint` saved elsewhere earlier; the log must contain what they say.
    """
    reading = _Reading()
    try:
        anchors = _anchors(folder, reading, public_key, checkpoints)
        present = segments(folder)
    except OSError as error:
        reading.problem(folder.name, 0, f"can't be read: {error.strerror or error}")
        return reading.report(0, 0)
    signed = max((anchor.size for anchor in anchors), default=0)
    reading.anchors = {anchor.size: anchor.head for anchor in anchors if anchor.size}
    reading.signed = signed
    for segment in present:
        try:
            reading.segment(segment, last=segment is present[-1])
        except OSError as error:
            reading.problem(segment.path.name, 0, f"can't be read: {error.strerror or error}")
        if len(reading.problems) >= PROBLEM_LIMIT:
            break
    if reading.sequence < signed:
        reading.problem(
            CHECKPOINT_FILE, 0, f"{signed} records were signed but the log ends at record {reading.sequence}"
        )
    return reading.report(len(present), signed)


def _anchors(
    folder: Path, reading: _Reading, public_key: str | None, checkpoints: Sequence[str]
) -> list[Checkpoint]:
    """The checkpoints that the log must agree with."""
    texts = {f"saved checkpoint {number}": text for number, text in enumerate(checkpoints, 1)}
    file = PUBLIC_KEY_FILE
    try:
        key_text = (folder / file).read_bytes().decode() if public_key is None else public_key
        key = PublicKey.parse(key_text)
        file = CHECKPOINT_FILE
        texts[file] = (folder / file).read_bytes().decode()
    except FileNotFoundError:
        reading.problem(file, 0, "is missing")
        return []
    except ValueError as error:
        reading.problem(file, 0, "is not text" if isinstance(error, UnicodeDecodeError) else str(error))
        return []
    anchors = []
    for name, text in texts.items():
        try:
            anchors.append(key.open(text))
        except ValueError as error:
            reading.problem(name, 0, str(error))
    return anchors


@dataclass(slots=True)
class _Reading:
    """The state of one pass."""

    anchors: dict[int, str] = field(default_factory=dict)
    signed: int = 0
    sequence: int = 0
    head: str = FIRST_PREVIOUS
    records: int = 0
    time: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)
    running: dict[bytes, None] = field(default_factory=dict)

    def problem(self, file: str, line: int, what: str, sequence: int = 0) -> None:
        self.problems.append(Problem(file=file, line=line, sequence=sequence, what=what))

    def note(self, file: str, line: int, what: str) -> None:
        if len(self.notes) < PROBLEM_LIMIT:
            self.notes.append(Problem(file=file, line=line, sequence=self.sequence, what=what))

    def report(self, count: int, signed: int) -> VerifyReport:
        return VerifyReport(
            records=self.records,
            segments=count,
            signed=signed,
            head=self.head,
            problems=tuple(self.problems),
            notes=tuple(self.notes),
            unfinished=tuple(str(json.loads(action)) for action in self.running),
        )

    def segment(self, segment: Segment, *, last: bool) -> None:
        name = segment.path.name
        if segment.first != self.sequence + 1:
            self.problem(
                name,
                0,
                f"starts with record {segment.first}, expected {self.sequence + 1}: a segment is missing",
            )
        for number, line in enumerate(_lines(segment.path), 1):
            if line.endswith(b"\n"):
                self.line(name, number, line[:-1])
            elif last and self.sequence >= self.signed:
                self.note(name, number, "an incomplete last line, being written or torn; never acknowledged")
            else:
                self.problem(name, number, "the line has no end")
            if len(self.problems) >= PROBLEM_LIMIT:
                return

    def line(self, file: str, number: int, line: bytes) -> None:
        link = read_link(line)
        self.records += 1
        if link is None:
            self.sequence += 1
            self.problem(file, number, "this is not an audit record", self.sequence)
            return
        self._check(file, number, link)
        self.sequence, self.head = link.sequence, link.hash
        if link.intact:
            self._follow(file, number, line)
        if self.anchors.get(link.sequence, link.hash) != link.hash:
            self.problem(
                file, number, f"record {link.sequence} is not the one that was signed", link.sequence
            )
        if link.sequence > self.signed and not _canonical(line):
            self.problem(file, number, "this is not canonical JSON", link.sequence)

    def _check(self, file: str, number: int, link: Link) -> None:
        expected = self.sequence + 1
        if link.sequence > expected:
            gap = (
                f"record {expected}"
                if link.sequence == expected + 1
                else f"records {expected} to {link.sequence - 1}"
            )
            self.problem(file, number, f"{gap} missing before record {link.sequence}", link.sequence)
        elif link.sequence < expected:
            self.problem(
                file,
                number,
                f"record {link.sequence} where {expected} belongs: repeated or moved",
                link.sequence,
            )
        elif link.previous != self.head:
            self.problem(
                file, number, f"record {link.sequence} does not follow the record before it", link.sequence
            )
        if not link.intact:
            self.problem(
                file, number, f"record {link.sequence} was changed: its hash does not fit it", link.sequence
            )

    def _follow(self, file: str, number: int, line: bytes) -> None:
        """Facts of an intact record: its time, and whether it opens or closes a call."""
        time = read_time(line)
        if time is not None:
            if time < self.time:
                self.note(file, number, f"the clock went back by {self.time - time} ms")
            self.time = time
        found = read_event(line)
        if found is None:
            return
        if found[0] == "intent":
            self.running[found[1]] = None
        elif found[0] == "outcome":
            self.running.pop(found[1], None)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=1 << 20) as file:
        while line := file.readline(LINE_LIMIT):
            yield line


def _canonical(line: bytes) -> bool:
    try:
        return canonical_json(json.loads(line)) == line
    except (ValueError, RecursionError):
        return False


__all__ = ["LINE_LIMIT", "PROBLEM_LIMIT", "Problem", "VerifyReport", "verify"]
