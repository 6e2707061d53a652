# SPDX-License-Identifier: Apache-2.0
"""The programs of a container that were asked to outlive their call: at most so many, for so long, so loud.

Each has a slot of the runner's and a number that is never used again. It ends by itself, when it is killed,
when its time is over, when it writes too much, or with its container. `container.py` is the only caller.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from yett.errors import ExecutionError
from yett.ports import BackgroundProgram, Command
from yett.sandbox.connection_frames import ConnectionFrame
from yett.sandbox.line import Line
from yett.sandbox.program import Program
from yett.sandbox.protocol import Answer, Exit, Failure, Output
from yett.sandbox.reply import Reply, ask
from yett.sandbox.requests import encode_kill
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.wire import ProtocolViolation


class BackgroundPrograms:
    """Those of one container (`line.Aside`)."""

    def __init__(self, line: Line, settings: SandboxSettings, oom_kills: Callable[[], int | None]) -> None:
        """None yet."""
        self._line = line
        self._settings = settings
        self._oom_kills = oom_kills
        self._programs: dict[int, Program] = {}
        self._running: dict[int, Program] = {}
        self._last = 0

    @property
    def running(self) -> bool:
        """Whether any is alive."""
        return bool(self._running)

    @property
    def quiet(self) -> bool:
        """See `line.Aside`."""
        return not self._running

    def take(self, frame: Answer | ConnectionFrame) -> None:
        """See `line.Aside`."""
        program = self._running.get(frame.slot) if isinstance(frame, Output | Exit) else None
        if program is None or not isinstance(frame, Output | Exit):
            raise ProtocolViolation("An answer of a background program that does not run.")
        if program.take(frame):
            self._over(program)

    def broken(self) -> None:
        """See `line.Aside`."""
        for program in tuple(self._running.values()):
            program.broken()
            self._over(program)

    async def start(
        self, command: Command, request: Callable[[int], bytes], tasks: TaskGroup
    ) -> BackgroundProgram | Failure:
        """Start one; it, or why the container's kernel would not.

        Args:
            command: its `timeout` is lowered to `background_timeout`.
            request: the request for a slot.
            tasks: ends what has a time.

        Raises:
            ExecutionError: there are as many as there may be; the container is gone.
        """
        free = [s for s in range(1, self._settings.background + 1) if s not in self._running]
        if not free:
            raise ExecutionError(
                f"The sandbox already has {self._settings.background} background programs; nothing was "
                "started. Kill one, or wait for one to end."
            )
        slot = free[0]

        def flooded() -> None:
            tasks.start_soon(self._kill, program)

        program = Program(
            command,
            slot=slot,
            flood_limit=self._settings.flood_limit,
            flooded=flooded,
            oom_kills=self._oom_kills,
        )
        reply = Reply(done=lambda: self._running.update({slot: program}))
        failure = await ask(self._line, request(slot), reply, self._settings.file_deadline)
        if failure is not None:
            return failure
        self._last += 1
        self._programs[self._last] = program
        self._forget()
        tasks.start_soon(self._expire, program)
        return _told(self._last, program)

    async def wait(self, number: int, seconds: float) -> BackgroundProgram:
        """See `ports.Sandbox`. No longer than a call may run: `timeout`."""
        program = self._of(number)
        with anyio.move_on_after(max(0.0, min(seconds, self._settings.timeout))):
            await program.ended.wait()
        return _told(number, program)

    async def kill(self, number: int) -> BackgroundProgram:
        """See `ports.Sandbox`. One that does not die in time breaks the line, and dies with the container."""
        program = self._of(number)
        await self._kill(program)
        return _told(number, program)

    def programs(self) -> tuple[BackgroundProgram, ...]:
        """See `ports.Sandbox`."""
        return tuple(_told(number, program) for number, program in self._programs.items())

    async def _expire(self, program: Program) -> None:
        with anyio.move_on_after(max(0.0, min(program.command.timeout, self._settings.background_timeout))):
            await program.ended.wait()
            return
        program.timed_out = True
        await self._kill(program)

    async def _kill(self, program: Program) -> None:
        if program.ended.is_set():
            return
        self._line.post(encode_kill(program.slot))
        with anyio.move_on_after(self._settings.kill_grace):
            await program.ended.wait()
            return
        self._line.break_(ExecutionError("A background program did not die; the sandbox was destroyed."))

    def _of(self, number: int) -> Program:
        program = self._programs.get(number)
        if program is None:
            raise ExecutionError(f"This sandbox has no background program {number}.")
        return program

    def _over(self, program: Program) -> None:
        self._running.pop(program.slot, None)
        self._forget()

    def _forget(self) -> None:
        """Their output is kept in memory, so only the last few that ended are remembered."""
        ended = [number for number, program in self._programs.items() if program.ended.is_set()]
        for number in ended[: -self._settings.background_ended]:
            del self._programs[number]


def _told(number: int, program: Program) -> BackgroundProgram:
    return BackgroundProgram(
        number=number,
        command=program.command,
        running=not program.ended.is_set(),
        result=program.result(),
    )
