# SPDX-License-Identifier: Apache-2.0
"""The last records of a log, and those that come.

Reading needs no lock and disturbs nobody. `yett audit tail` and `search` call this.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from yett.action import JsonObject
from yett.audit.files import segments


def tail(folder: Path, count: int = 10, *, follow: bool = False, poll: float = 0.2) -> Iterator[JsonObject]:
    """The last `count` records, oldest first; with `follow`, then each new one as it comes, for ever.

    `poll` is how often to look for new ones, in seconds. An incomplete or unreadable line is left out:
    `verify` is there to complain.

    Raises:
        OSError: the log can't be read.
    """
    last: deque[bytes] = deque()
    reader = _Reader(folder)
    for segment in reversed(segments(folder)):
        reader.skip_to(segment.first)
        part = deque(reader.lines(), maxlen=count)
        while part and len(last) < count:
            last.appendleft(part.pop())
        if len(last) >= count:
            break
    reader.skip_to_end()
    yield from _parsed(last)
    while follow:
        yield from _parsed(reader.lines())
        if not reader.next_segment():
            time.sleep(poll)


@dataclass(slots=True)
class _Reader:
    """Where reading is: in which segment, after how many bytes of complete lines."""

    folder: Path
    first: int = 1
    offset: int = 0

    @property
    def _path(self) -> Path:
        return self.folder / f"{self.first:020}.jsonl"

    def skip_to(self, first: int) -> None:
        """Go to the start of a segment."""
        self.first, self.offset = first, 0

    def skip_to_end(self) -> None:
        """Go behind the last complete line."""
        present = segments(self.folder)
        if present and present[-1].first != self.first:
            self.skip_to(present[-1].first)
        for _ in self.lines():
            pass

    def next_segment(self) -> bool:
        """Go to the segment after this one, if there is one and this one has nothing more."""
        later = [segment for segment in segments(self.folder) if segment.first > self.first]
        if not later or (self._path.exists() and self._path.stat().st_size > self.offset):
            return False
        self.skip_to(later[0].first)
        return True

    def lines(self) -> Iterator[bytes]:
        """The complete lines from here to the end of the segment."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self.offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self.offset += len(line)
                yield line


def _parsed(lines: Iterator[bytes] | deque[bytes]) -> Iterator[JsonObject]:
    for line in lines:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield record
