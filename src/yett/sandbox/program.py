# SPDX-License-Identifier: Apache-2.0
"""What the gateway knows of one program in a container: what it wrote, and how it ended.

It keeps the first bytes of each stream and counts the rest. `container.py` runs one in the open call,
`background.py` holds those that outlive it; the line gives it the answers.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import anyio

from yett.ports import Command, CommandResult
from yett.sandbox.protocol import Answer, Exit, Failure, Output
from yett.sandbox.wire import ProtocolViolation

_PIECES = 256
"""Of output that waits to be told. Beyond, the order between the two streams is no longer kept."""

_SIGKILLED = 128 + signal.SIGKILL


@dataclass(slots=True)
class _Kept:
    """The first `limit` bytes of a stream, and how many there were."""

    limit: int
    data: bytearray = field(default_factory=bytearray)
    seen: int = 0

    def add(self, data: bytes) -> None:
        self.seen += len(data)
        self.data += data[: max(0, self.limit - len(self.data))]

    @property
    def truncated(self) -> bool:
        return self.seen > self.limit


class Program:
    """One program (`line.Listener`)."""

    def __init__(
        self,
        command: Command,
        *,
        slot: int,
        flood_limit: int,
        flooded: Callable[[], object],
        oom_kills: Callable[[], int | None],
        told: bool = False,
    ) -> None:
        """It starts now.

        Args:
            command: what runs.
            slot: where.
            flood_limit: of both streams in bytes.
            flooded: called once, at once, when they are over it; has the program killed.
            oom_kills: how many processes of the container were killed for memory so far.
            told: whether somebody takes the output as it comes, with `untold`.
        """
        self.command = command
        self.slot = slot
        self.timed_out = False
        self.is_flooded = False
        self.failure: Failure | None = None
        self.ended = anyio.Event()
        self._kept = {"stdout": _Kept(command.output_limit), "stderr": _Kept(command.output_limit)}
        self._flood_limit = flood_limit
        self._flooded = flooded
        self._oom_kills = oom_kills
        self._oom_before = oom_kills()
        self._oom = False
        self._told = told
        self._untold: list[tuple[str, bytearray]] = []
        self._news = anyio.Event()
        self._end: Exit | None = None
        self._began = anyio.current_time()
        self._ended_at = 0.0

    def take(self, answer: Answer) -> bool:
        """Output, its end, or why it could not be started (`line.Listener`)."""
        if isinstance(answer, Output):
            self._add(answer)
            return False
        if isinstance(answer, Exit):
            self._end = answer
            self._oom = _killed(answer) and (self._oom_kills() or 0) > (self._oom_before or 0)
        elif isinstance(answer, Failure):
            self.failure = answer
        else:
            raise ProtocolViolation("An answer to something that was not asked.")
        self._close()
        return True

    def broken(self) -> None:
        """Its container is dead or about to be, and it with it: SIGKILL, by PID 1 or by us."""
        if not self.ended.is_set():
            self._close()

    async def news(self) -> None:
        """Wait until there is output to tell, it has flooded, or it has ended."""
        await self._news.wait()
        self._news = anyio.Event()

    def untold(self) -> Iterator[tuple[str, bytes]]:
        """Output that was not told yet, in order, neighbours of one stream together."""
        waiting, self._untold = self._untold, []
        return ((stream, bytes(data)) for stream, data in waiting)

    def tell_no_more(self) -> None:
        """Nobody takes the output as it comes any longer."""
        self._told = False
        self._untold.clear()

    def result(self) -> CommandResult:
        """What is known now. Without an end of its own it was killed, or still runs."""
        running = not self.ended.is_set()
        code, by = (self._end.code, self._end.signal) if self._end else (None, int(signal.SIGKILL))
        out, err = self._kept["stdout"], self._kept["stderr"]
        return CommandResult(
            exit_code=None if running else code,
            signal=None if running else by,
            stdout=bytes(out.data),
            stderr=bytes(err.data),
            stdout_truncated=out.truncated,
            stderr_truncated=err.truncated,
            timed_out=self.timed_out,
            oom=self._oom,
            duration=(anyio.current_time() if running else self._ended_at) - self._began,
        )

    def _add(self, output: Output) -> None:
        self._kept[output.stream].add(output.data)
        if self.is_flooded:
            return
        if self._told:
            self._leave_untold(output)
            self._news.set()
        if sum(k.seen for k in self._kept.values()) > self._flood_limit:
            self.is_flooded = True
            self._news.set()
            self._flooded()

    def _leave_untold(self, output: Output) -> None:
        """Keep it to be told: as few pieces as its bytes allow, for each costs many times a byte.

        Neighbours are of different streams, so one of the last two is of this one.
        """
        full = len(self._untold) >= _PIECES
        for stream, data in self._untold[-2 if full else -1 :]:
            if stream == output.stream:
                data.extend(output.data)
                return
        self._untold.append((output.stream, bytearray(output.data)))

    def _close(self) -> None:
        self._ended_at = anyio.current_time()
        self.ended.set()
        self._news.set()


def _killed(end: Exit) -> bool:
    return end.signal == signal.SIGKILL or end.code == _SIGKILLED
