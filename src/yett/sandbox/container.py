# SPDX-License-Identifier: Apache-2.0
"""One container: made hardened, spoken to through its own socket, and killed for certain.

It never trusts a byte of the container's: every answer must fit the request that is open, and what
does not fit ends the container. A conversation that is not brought to its end (cancellation, deadline,
violation, EOF) leaves the container unusable; the pool then destroys it. `pool.py` is the only caller.
"""

from __future__ import annotations

import contextlib
import errno
import hmac
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio

from yett.action import Secret
from yett.errors import ExecutionError, ExecutionTimeout, SandboxUnavailable
from yett.ports import Command, CommandResult, FileEntry
from yett.sandbox.driver import Driver
from yett.sandbox.hardening import UID, container_config
from yett.sandbox.init_process import InitProcess
from yett.sandbox.line import Line
from yett.sandbox.protocol import (
    Answer,
    Data,
    Done,
    Entries,
    Exit,
    Failure,
    Hello,
    Info,
    Limit,
    Output,
    ProtocolViolation,
    encode_exec,
    encode_kill,
    encode_list,
    encode_read,
    encode_stat,
    encode_write,
)
from yett.sandbox.settings import SandboxSettings

_SIGKILLED = 128 + signal.SIGKILL
_SUBJECT = 256


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


class Container:
    """A running container (`ports.Sandbox`). Made by `start`; the caller must `destroy` it."""

    def __init__(
        self, *, name: str, settings: SandboxSettings, engine: Driver, line: Line, folder: Path
    ) -> None:
        """Use `Container.start`."""
        self.name = name
        self._settings = settings
        self._engine = engine
        self._line = line
        self._folder = folder
        self._usable = True
        self._destroyed = False
        self.removed = False
        """Whether it is known to be dead and gone, or going. False after `destroy` when the engine failed."""
        self._init = InitProcess(0)  # nobody to kill before the peer has proved to be ours

    @classmethod
    async def start(
        cls,
        engine: Driver,
        settings: SandboxSettings,
        *,
        name: str,
        folder: Path,
        secret: Secret,
        seccomp: str,
        labels: Mapping[str, str],
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

        Raises:
            SandboxUnavailable: the engine would not, or the runner did not say hello in time.
        """
        folder.mkdir(mode=0o700)  # noqa: ASYNC240  (microseconds, on a local file system)
        path = folder / "s"
        try:
            facts = await engine.facts()
            listener = await anyio.create_unix_listener(path, mode=0o666, backlog=1)
            async with listener:
                config = container_config(
                    settings,
                    socket=str(path),
                    secret=secret.reveal(),
                    seccomp=seccomp,
                    labels=labels,
                    private_cgroup_namespace=facts.knows_cgroup_namespaces,
                )
                with anyio.CancelScope(shield=True):
                    # Given up half-way it could still make the container, after we had removed nothing.
                    await engine.create(name, config)
                await engine.start(name)
                with anyio.fail_after(settings.start_deadline):
                    line = Line(await listener.accept())
            container = cls(name=name, settings=settings, engine=engine, line=line, folder=folder)
            try:
                with anyio.fail_after(settings.start_deadline):
                    await container._prove(secret, mapped_uids=facts.userns)
            except BaseException:
                await container.destroy()
                raise
        except BaseException as fault:
            with anyio.CancelScope(shield=True):
                with contextlib.suppress(SandboxUnavailable):
                    await engine.remove(name)
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(fault, TimeoutError):
                raise SandboxUnavailable("The container's runner did not connect in time.") from None
            if isinstance(fault, OSError | ProtocolViolation):
                raise SandboxUnavailable(f"The container could not be reached: {fault}") from fault
            raise
        path.unlink(missing_ok=True)
        return container

    @property
    def usable(self) -> bool:
        """Whether another call may use it."""
        return self._usable and not self._destroyed

    async def run(self, command: Command) -> CommandResult:
        """Run a program; when this returns nothing it started is alive.

        Raises:
            ExecutionError: it could not be started, or the container is gone.
        """
        request = self._exec_request(command)
        kept = {"stdout": _Kept(command.output_limit), "stderr": _Kept(command.output_limit)}
        timeout = self._timeout(command)
        began = anyio.current_time()
        oom_before = self._init.oom_kills()
        end: Exit | Failure | None = None
        timed_out = False
        with self._conversation():
            with anyio.move_on_after(timeout) as deadline:
                end = await self._execute(request, kept)
            timed_out = deadline.cancelled_caught
            if timed_out and self._settings.after_timeout == "keep":
                end = await self._kill(kept)
            self._usable = end is not None and self._line.silent
        if end is None:
            await self.destroy()
        if isinstance(end, Failure):
            raise _KernelError(command.cwd if end.doing == "cwd" else command.argv[0], end)
        ended = end or Exit(None, int(signal.SIGKILL))
        return CommandResult(
            exit_code=ended.code,
            signal=ended.signal,
            stdout=bytes(kept["stdout"].data),
            stderr=bytes(kept["stderr"].data),
            stdout_truncated=kept["stdout"].truncated,
            stderr_truncated=kept["stderr"].truncated,
            timed_out=timed_out,
            oom=_killed(ended) and (self._init.oom_kills() or 0) > (oom_before or 0),
            duration=anyio.current_time() - began,
        )

    async def read(self, path: str, *, offset: int, limit: int) -> tuple[bytes, int]:
        """Up to `limit` bytes of a regular file from `offset`, and the file's size.

        Raises:
            ExecutionError: with the kernel's reason; a limit over `file_limit`.
        """
        if limit > self._settings.file_limit:
            raise ExecutionError(f"At most {self._settings.file_limit} bytes can be read in one call.")
        data, size = bytearray(), 0

        def take(answer: Answer) -> None:
            nonlocal size
            if isinstance(answer, Info):
                size = answer.entry.size
            elif isinstance(answer, Data):
                data.extend(answer.data)
            if len(data) > limit:
                raise ProtocolViolation("More of a file than was asked for.")

        await self._ask(path, encode_read(path, offset=offset, limit=limit), take, Info, Data)
        return bytes(data), size

    async def write(self, path: str, data: bytes, *, append: bool = False) -> None:
        """Write a regular file, making parent directories.

        Raises:
            ExecutionError: with the kernel's reason; more than `file_limit`.
        """
        if len(data) > self._settings.file_limit:
            raise ExecutionError(f"At most {self._settings.file_limit} bytes can be written in one call.")
        await self._ask(path, encode_write(path, data, append=append), _nothing)

    async def list(self, path: str) -> tuple[FileEntry, ...]:
        """The entries of a directory by name (at most `list_limit`), or the entry of a file.

        Raises:
            ExecutionError: with the kernel's reason.
        """
        limit = self._settings.list_limit
        found: list[FileEntry] = []

        def take(answer: Answer) -> None:
            if isinstance(answer, Entries):
                found.extend(answer.entries)
            elif isinstance(answer, Info):
                found.append(replace(answer.entry, name=path.rstrip("/").rpartition("/")[2]))
            if len(found) > limit:
                raise ProtocolViolation("More entries than were asked for.")

        try:
            await self._ask(path, encode_list(path, limit=limit), take, Entries)
        except _KernelError as fault:
            if fault.errno != errno.ENOTDIR:
                raise
            await self._ask(path, encode_stat(path), take, Info)
        return tuple(sorted(found, key=lambda e: e.name))

    @property
    def alive(self) -> bool:
        """Whether its PID 1 still runs, as far as this process can see."""
        return self._init.alive

    async def destroy(self) -> bool:
        """Kill everything in it and remove it; false when that was done before. Not to be cancelled.

        Closing the socket is enough for an honest PID 1; a SIGKILL to it needs no honesty. Where neither
        can be seen to have worked the engine must remove it. The engine clears away a dead one by itself.
        """
        if self._destroyed:
            return False
        self._destroyed = True
        with anyio.CancelScope(shield=True):
            await self._line.close()
            dead = await self._init.kill(self._settings.kill_grace)
            shutil.rmtree(self._folder, ignore_errors=True)
            if not dead:
                with contextlib.suppress(SandboxUnavailable):
                    await self._engine.remove(self.name)
                    dead = True
            self.removed = dead
        return True

    async def _prove(self, secret: Secret, *, mapped_uids: bool) -> None:
        """See that the peer is PID 1 of the container we made."""
        peer = self._line.peer()
        hello = await self._line.next_of(Hello)
        if not isinstance(hello, Hello) or not hmac.compare_digest(hello.secret, secret.reveal().encode()):
            raise ProtocolViolation("The peer does not know the container's secret.")
        init = InitProcess(peer.pid)
        try:
            # Looked up after the pidfd was opened, so that it is no later process of that number.
            state = await self._engine.state(self.name)
            if peer.pid and peer.pid != state.pid:
                raise ProtocolViolation("The peer is not PID 1 of the container.")
            if peer.uid != UID and not mapped_uids:
                raise ProtocolViolation("The peer runs under another user than the container's.")
        except BaseException:
            init.forget()
            raise
        self._init = init

    def _exec_request(self, command: Command) -> bytes:
        request = encode_exec(
            command.argv,
            env={**self._settings.environment, **command.env},
            cwd=command.cwd,
            stdin=command.stdin,
            # A second belt, for the time when this process is stopped and can't enforce the deadline.
            limits={Limit.CPU_SECONDS: int(self._timeout(command) * max(1.0, self._settings.cpus)) + 2},
        )
        if len(request) > self._settings.request_limit:
            raise ExecutionError(
                f"Arguments, variables and input are over {self._settings.request_limit} bytes."
            )
        return request

    def _timeout(self, command: Command) -> float:
        return max(0.0, min(command.timeout, self._settings.timeout))

    async def _execute(self, request: bytes, kept: Mapping[str, _Kept]) -> Exit | Failure | None:
        await self._line.send(request)
        while True:
            answer = await self._line.next_of(Output, Exit, Failure)
            if isinstance(answer, Exit | Failure):
                return answer
            if isinstance(answer, Output):
                kept[answer.stream].add(answer.data)
            if sum(k.seen for k in kept.values()) > self._settings.flood_limit:
                return await self._kill(kept)

    async def _kill(self, kept: Mapping[str, _Kept]) -> Exit | Failure | None:
        """Ask the runner to kill the program; None when it does not confirm in time."""
        with anyio.move_on_after(self._settings.kill_grace):
            await self._line.send(encode_kill())
            while True:
                answer = await self._line.next_of(Output, Exit, Failure)
                if isinstance(answer, Output):
                    kept[answer.stream].add(answer.data)
                elif isinstance(answer, Exit | Failure):
                    return answer
        return None

    async def _ask(
        self, path: str, request: bytes, take: Callable[[Answer], None], *expected: type[Answer]
    ) -> None:
        """Send a file request and hand each of its answers to `take`, which may refuse one by raising."""
        with self._conversation():
            try:
                with anyio.fail_after(self._settings.file_deadline):
                    await self._line.send(request)
                    while not isinstance(
                        answer := await self._line.next_of(Done, Failure, *expected), Done | Failure
                    ):
                        take(answer)
            except TimeoutError:
                raise ExecutionTimeout("The sandbox did not answer in time and was destroyed.") from None
            self._usable = self._line.silent
        if isinstance(answer, Failure):
            raise _KernelError(path, answer)

    @contextlib.contextmanager
    def _conversation(self) -> Iterator[None]:
        """Unusable until the body says otherwise, so that every way out but the good one leaves it so."""
        if not self.usable:
            raise ExecutionError("The sandbox is gone; the next call gets a new one.")
        self._usable = False
        yield


class _KernelError(ExecutionError):
    """A request the container's kernel refused. The message is the kernel's own."""

    def __init__(self, subject: str, failure: Failure) -> None:
        reason = os.strerror(failure.errno) if 0 < failure.errno < 4096 else "unknown error"
        super().__init__(f"{subject[:_SUBJECT]}: {reason}")
        self.errno = failure.errno


def _nothing(_: Answer) -> None:
    """A write is answered by Done alone."""


def _killed(end: Exit) -> bool:
    return end.signal == signal.SIGKILL or end.code == _SIGKILLED
