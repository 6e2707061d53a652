# SPDX-License-Identifier: Apache-2.0
"""One container: made hardened, spoken to over its own line, and killed for certain.

It never trusts a byte of the container's: every answer must fit what was asked, and what does not fit ends
the container. So does a conversation that is not brought to its end (cancellation, deadline, violation, EOF).
A task of the pool's group reads what it says as long as it lives. The pool is the only caller.
"""

from __future__ import annotations

import contextlib
import errno
import hmac
import shutil
from collections.abc import Mapping
from pathlib import Path

import anyio
from anyio.abc import TaskGroup, TaskStatus

from yett.action import Principal, Secret
from yett.errors import ExecutionError, SandboxUnavailable
from yett.ports import BackgroundProgram, Command, CommandResult, FileEntry, Forward, OnOutput
from yett.sandbox.background import BackgroundPrograms
from yett.sandbox.connections import PORT, PROXY_ENVIRONMENT, Connections
from yett.sandbox.creation import Creation
from yett.sandbox.driver import Driver
from yett.sandbox.engine import EngineFacts
from yett.sandbox.files import Files
from yett.sandbox.init_process import InitProcess
from yett.sandbox.line import Line
from yett.sandbox.program import Program
from yett.sandbox.protocol import Failure
from yett.sandbox.reply import KernelError, Reply, ask
from yett.sandbox.requests import Limit, encode_begin, encode_exec, encode_kill
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.transport import TransportKind
from yett.sandbox.transport_choice import TransportChoice
from yett.sandbox.wire import VERSION, ProtocolViolation


class Container:
    """A running container (`ports.Sandbox`). Made by `create`; the caller must `destroy` it."""

    def __init__(
        self,
        *,
        name: str,
        settings: SandboxSettings,
        engine: Driver,
        line: Line,
        folder: Path,
        forward: Forward | None = None,
    ) -> None:
        """Use `Container.create`."""
        self.name = name
        self._settings = settings
        self._engine = engine
        self._line = line
        self._folder = folder
        self._init = InitProcess(0)  # nobody to kill before the peer has proved to be ours
        self._files = Files(line, settings)
        self._background = BackgroundPrograms(line, settings, self._oom_kills)
        self._connections = Connections(line, forward)
        line.beside(background=self._background, connections=self._connections)
        self._environment = {**(PROXY_ENVIRONMENT if forward else {}), **settings.environment}
        self._port = PORT if forward else 0
        self._tasks: TaskGroup | None = None
        self._ending = False
        self._ended = anyio.Event()
        self._collected = False
        self.removed = False
        """Whether it is known to be dead and gone, or going. False after `destroy` when the engine failed."""

    @classmethod
    async def create(
        cls,
        engine: Driver,
        settings: SandboxSettings,
        *,
        name: str,
        folder: Path,
        secret: Secret,
        seccomp: str,
        labels: Mapping[str, str],
        transports: TransportChoice,
        tasks: TaskGroup,
        forward: Forward | None = None,
    ) -> Container:
        """Create a container and wait for its runner.

        Args:
            engine: where.
            settings: image and limits.
            name: of the container, new.
            folder: does not exist yet; made 0700, holds the socket.
            secret: one-time; the runner's first word.
            seccomp: the profile as JSON text.
            labels: for the reaper.
            transports: which way it is spoken to.
            tasks: who owns the task that reads what it says. Cancelling it ends the container.
            forward: serves what its programs send to the proxy's port; None closes that port.

        Raises:
            SandboxUnavailable: the engine would not, or the runner did not say hello in time.
        """
        facts = await engine.facts()
        if settings.runtime not in facts.runtimes:
            raise SandboxUnavailable(
                f"The container engine knows no runtime `{settings.runtime}`, only "
                f"{', '.join(sorted(facts.runtimes))}.",
                advice="Name it under `runtimes` in the engine's daemon.json, or set tools.shell.runtime.",
            )

        async def attempt(kind: TransportKind, deadline: float) -> Container:
            creation = Creation(
                engine=engine,
                facts=facts,
                settings=settings,
                name=name,
                folder=folder,
                secret=secret,
                seccomp=seccomp,
                labels=labels,
            )
            async with creation.line(kind, deadline) as line:
                container = cls(
                    name=creation.name,
                    settings=settings,
                    engine=engine,
                    line=line,
                    folder=folder,
                    forward=forward,
                )
                try:
                    await container._begin(secret, facts, tasks)
                except BaseException:
                    await container.destroy()
                    raise
            return container

        return await transports.start(attempt)

    @property
    def usable(self) -> bool:
        """Whether another call may use it."""
        return not self._ending and self._line.whole and self._line.idle

    @property
    def alive(self) -> bool:
        """Whether its PID 1 still runs, as far as this process can see."""
        return self._line.whole and self._init.alive

    @property
    def has_programs(self) -> bool:
        """Whether a background program runs in it, so that it is in use also when no call is."""
        return self._background.running

    @property
    def principal(self) -> Principal | None:
        """In whose name its programs' connections are served: the last lease's."""
        return self._connections.principal

    @principal.setter
    def principal(self, principal: Principal | None) -> None:
        self._connections.principal = principal

    async def run(self, command: Command, on_output: OnOutput | None = None) -> CommandResult:
        """Run a program; when this returns nothing it started is alive.

        Whoever follows the output does not hold it up: the deadline goes on, and after the first piece that
        took longer than `progress_deadline` no more are told.

        Raises:
            ExecutionError: it could not be started, or the container is gone.
        """
        timeout = max(0.0, min(command.timeout, self._settings.timeout))
        request = self._request(command, slot=0, seconds=timeout)
        program = Program(
            command,
            slot=0,
            flood_limit=self._settings.flood_limit,
            flooded=lambda: self._line.post(encode_kill(0)),
            oom_kills=self._oom_kills,
            told=on_output is not None,
        )
        with self._line.converse(program) as talk:
            with anyio.move_on_after(timeout) as deadline:
                await self._line.send(request)
                await self._follow(program, on_output)
            if not talk.over and deadline.cancelled_caught:
                program.timed_out = True
                if self._settings.after_timeout == "keep":
                    self._line.post(encode_kill(0))
                    with anyio.move_on_after(self._settings.kill_grace):
                        await program.ended.wait()
            elif not talk.over:
                self._line.check()
        if not talk.over:
            await self._end()
        if program.failure is not None:
            raise _refused(command, program.failure)
        return program.result()

    async def start(self, command: Command) -> BackgroundProgram:
        """Start a program that stays, up to `command.timeout` and `background_timeout` seconds.

        Raises:
            ExecutionError: it could not be started, or there are as many as there may be.
        """
        if self._tasks is None:
            raise RuntimeError("not begun")
        seconds = max(0.0, min(command.timeout, self._settings.background_timeout))
        started = await self._background.start(
            command, lambda slot: self._request(command, slot=slot, seconds=seconds), self._tasks
        )
        if isinstance(started, Failure):
            if started.doing == "setup" and started.errno == errno.EINVAL:
                raise ExecutionError(
                    "Background programs can't be kept in this sandbox: its runtime's kernel has no child "
                    "subreapers."
                )
            raise _refused(command, started)
        return started

    async def wait(self, number: int, seconds: float) -> BackgroundProgram:
        """See `ports.Sandbox`."""
        return await self._background.wait(number, seconds)

    async def kill(self, number: int) -> BackgroundProgram:
        """See `ports.Sandbox`. A program that will not die takes the container with it."""
        killed = await self._background.kill(number)
        if not self._line.whole:
            await self._end()
        return killed

    def programs(self) -> tuple[BackgroundProgram, ...]:
        """See `ports.Sandbox`. Those of a destroyed container were killed with it."""
        return self._background.programs()

    async def read(self, path: str, *, offset: int, limit: int) -> tuple[bytes, int]:
        """See `Files.read`."""
        return await self._files.read(path, offset=offset, limit=limit)

    async def write(self, path: str, data: bytes, *, append: bool = False) -> None:
        """See `Files.write`."""
        await self._files.write(path, data, append=append)

    async def list(self, path: str) -> tuple[FileEntry, ...]:
        """See `Files.list`."""
        return await self._files.list(path)

    async def stat(self, path: str) -> FileEntry:
        """See `Files.stat`."""
        return await self._files.stat(path)

    async def destroy(self) -> bool:
        """Kill everything in it and remove it; false when that was asked before. Not to be cancelled."""
        with anyio.CancelScope(shield=True):
            await self._end()
        first, self._collected = not self._collected, True
        return first

    async def _end(self) -> None:
        """Be dead when this returns, whoever called first.

        Closing the line is enough for an honest PID 1; a SIGKILL to it needs no honesty. Where neither can be
        seen to have worked the engine must remove it. The engine clears away a dead one by itself.
        """
        if self._ending:
            await self._ended.wait()
            return
        self._ending = True
        with anyio.CancelScope(shield=True):
            await self._line.close()
            dead = await self._init.kill(self._settings.kill_grace)
            shutil.rmtree(self._folder, ignore_errors=True)
            if not dead:
                with contextlib.suppress(SandboxUnavailable):
                    await self._engine.remove(self.name)
                    dead = True
            self.removed = dead
        self._ended.set()

    async def _live(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Take what it says until its line breaks, then destroy it."""
        try:
            async with anyio.create_task_group() as tasks:
                self._tasks = tasks
                self._connections.serve_in(tasks)
                task_status.started()
                await self._line.serve()
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._end()

    async def _begin(self, secret: Secret, facts: EngineFacts, tasks: TaskGroup) -> None:
        """See that the other end is PID 1 of the container we made, and begin to listen to it."""
        with anyio.fail_after(self._settings.start_deadline):
            await self._prove(secret, mapped_uids=facts.userns)
            await tasks.start(self._live)
            failure = await ask(
                self._line, encode_begin(port=self._port), Reply(), self._settings.start_deadline
            )
        if failure is not None:
            raise SandboxUnavailable(f"The container's runner could not begin: {failure.doing}")
        for path, data in self._settings.files.items():
            await self.write(path, data)

    async def _prove(self, secret: Secret, *, mapped_uids: bool) -> None:
        peer = self._line.peer
        hello = await self._line.hello()
        if hello.version != VERSION:
            raise SandboxUnavailable(
                f"The runner in {self._settings.image} is not of this gateway's version ({VERSION}): "
                "run `yett sandbox build`.",
                advice="yett sandbox build",
            )
        if not hmac.compare_digest(hello.secret, secret.reveal().encode()):
            raise ProtocolViolation("The peer does not know the container's secret.")
        if peer is None:
            state = await self._engine.state(self.name)
            self._init = InitProcess.of_container(state.pid, state.id)
            return
        init = InitProcess(peer.pid)
        try:
            # Looked up after the pidfd was opened, so that it is no later process of that number.
            state = await self._engine.state(self.name)
            if peer.pid and peer.pid != state.pid:
                raise ProtocolViolation("The peer is not PID 1 of the container.")
            if peer.uid != self._settings.user[0] and not mapped_uids:
                raise ProtocolViolation("The peer runs under another user than the container's.")
        except BaseException:
            init.forget()
            raise
        self._init = init

    async def _follow(self, program: Program, on_output: OnOutput | None) -> None:
        """Tell output as it comes, until the program has ended or was killed for too much of it."""
        while True:
            await program.news()
            if on_output is not None and not await self._tell(program, on_output):
                on_output = None
                program.tell_no_more()
            if program.ended.is_set():
                return
            if program.is_flooded:
                with anyio.move_on_after(self._settings.kill_grace):
                    await program.ended.wait()
                return

    async def _tell(self, program: Program, on_output: OnOutput) -> bool:
        """Tell what is new; false when that took too long."""
        with anyio.move_on_after(self._settings.progress_deadline) as patience:
            for stream, data in program.untold():
                await on_output(stream, data)
        return not patience.cancelled_caught

    def _oom_kills(self) -> int | None:
        return self._init.oom_kills()

    def _request(self, command: Command, *, slot: int, seconds: float) -> bytes:
        request = encode_exec(
            command.argv,
            env={**self._environment, **command.env},
            cwd=command.cwd,
            stdin=command.stdin,
            # A second belt, for the time when this process is stopped and can't enforce the deadline.
            limits={
                Limit.CPU_SECONDS: int(seconds * max(1.0, self._settings.cpus)) + 2,
                Limit.OPEN_FILES: self._settings.open_files,
            },
            slot=slot,
        )
        if len(request) > self._settings.request_limit:
            raise ExecutionError(
                f"Arguments, variables and input are over {self._settings.request_limit} bytes."
            )
        return request


def _refused(command: Command, failure: Failure) -> KernelError:
    return KernelError(command.cwd if failure.doing == "cwd" else command.argv[0], failure)
