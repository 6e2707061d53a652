# SPDX-License-Identifier: Apache-2.0
"""Sandboxes in memory: a small file system for each session, and programs that a test scripts.

They keep the promises of `ports.Sandbox` that a tool can see: no symbolic link is followed, a write is
whole or nothing, output over its limit is cut, a deadline ends a program, background programs stay until
the session ends. Nothing here contains anything: it runs Python functions of the test. It may never serve
an agent. Public as `yett.testing.MemorySandboxes`.
"""

from __future__ import annotations

import errno
import os
import posixpath
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from yett.action import Principal
from yett.errors import ExecutionError
from yett.ports import BackgroundProgram, Command, CommandResult, FileEntry, OnOutput, Sandbox

_KINDS = {"directory": 0o755, "symlink": 0o777}
BACKGROUND_LIMIT = 8


@dataclass(slots=True, kw_only=True)
class Node:
    """One thing in the file system. `data` is a file's content or a link's target."""

    kind: str = "file"
    data: bytes = b""
    mode: int = 0o644


class Running:
    """What a script has of its run: the command, the session's files, and two streams to write to."""

    def __init__(self, command: Command, files: Files, on_output: OnOutput | None = None) -> None:
        self.command = command
        self.files = files
        self._on_output = on_output
        self.streams = {"stdout": bytearray(), "stderr": bytearray()}

    async def out(self, data: bytes) -> None:
        """Write to standard output."""
        await self._write("stdout", data)

    async def err(self, data: bytes) -> None:
        """Write to standard error."""
        await self._write("stderr", data)

    async def _write(self, stream: str, data: bytes) -> None:
        self.streams[stream] += data
        if self._on_output is not None:
            await self._on_output(stream, data)

    def result(self, code: int | None, killed_by: int | None, began: float, **how: bool) -> CommandResult:
        """How it stands, with each stream cut at the command's limit."""
        limit = self.command.output_limit
        out, err = self.streams["stdout"], self.streams["stderr"]
        return CommandResult(
            exit_code=code,
            signal=killed_by,
            stdout=bytes(out[:limit]),
            stderr=bytes(err[:limit]),
            stdout_truncated=len(out) > limit,
            stderr_truncated=len(err) > limit,
            timed_out=how.get("timed_out", False),
            duration=anyio.current_time() - began,
        )


Script = Callable[[Running], Awaitable[int]]
"""A program: writes to its streams, may touch the files, gives its exit code."""


class Files:
    """A file system that starts with /workspace and /tmp; everything else is read-only."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {
            path: Node(kind="directory", mode=0o755)
            for path in ("/", "/workspace", "/tmp")  # noqa: S108
        }

    def find(self, path: str) -> Node:
        """What is at a path; no link is followed.

        Raises:
            ExecutionError: with the words of a kernel.
        """
        here = ""
        for part in [part for part in path.split("/") if part]:
            parent = self.nodes.get(here or "/")
            if parent is None:
                raise _refused(path, errno.ENOENT)
            if parent.kind != "directory":
                raise _refused(path, errno.ELOOP if parent.kind == "symlink" else errno.ENOTDIR)
            here = f"{here}/{part}"
        node = self.nodes.get(here or "/")
        if node is None:
            raise _refused(path, errno.ENOENT)
        return node

    def put(self, path: str, data: bytes, *, kind: str = "file", mode: int | None = None) -> None:
        """Make a file, directory or link, and the directories above it. An old file's mode stays."""
        parent = posixpath.dirname(path)
        if parent != path and parent not in self.nodes:
            self.put(parent, b"", kind="directory")
        if parent != path and (above := self.find(parent)).kind != "directory":
            raise _refused(path, errno.ELOOP if above.kind == "symlink" else errno.ENOTDIR)
        old = self.nodes.get(path)
        kept = old.mode if old is not None and old.kind == kind else _KINDS.get(kind, 0o644)
        self.nodes[path] = Node(kind=kind, data=data, mode=kept if mode is None else mode)

    def regular(self, path: str) -> Node:
        """The file at a path. Same errors as `find`."""
        node = self.find(path)
        reasons = {"symlink": errno.ELOOP, "directory": errno.EISDIR, "other": errno.EINVAL}
        if node.kind in reasons:
            raise _refused(path, reasons[node.kind])
        return node


class MemorySandbox:
    """One session's sandbox (`ports.Sandbox`). `commands` are those that were run, in order."""

    def __init__(self, programs: Mapping[str, Script], tasks: Callable[[], TaskGroup]) -> None:
        self.files = Files()
        self.commands: list[Command] = []
        self._scripts = programs
        self._tasks = tasks
        self._programs: dict[int, _Background] = {}

    async def run(self, command: Command, on_output: OnOutput | None = None) -> CommandResult:
        """Run a script. `argv[0]` finds it; a line for a shell is found whole, then by its first word.

        Raises:
            ExecutionError: no script of that name.
        """
        self.commands.append(command)
        script, running = self._script(command), Running(command, self.files, on_output)
        return await _until_deadline(script, running)

    async def start(self, command: Command) -> BackgroundProgram:
        """Start a script that outlives the lease. `MemorySandboxes` must have been entered.

        Raises:
            ExecutionError: no such script, or as many as there may be.
        """
        if sum(1 for program in self._programs.values() if program.result is None) >= BACKGROUND_LIMIT:
            raise ExecutionError(f"At most {BACKGROUND_LIMIT} background programs run at a time.")
        self.commands.append(command)
        script = self._script(command)
        program = _Background(
            number=len(self._programs) + 1, running=Running(command, self.files), began=anyio.current_time()
        )
        self._programs[program.number] = program
        self._tasks().start_soon(program.run, script)
        return program.told()

    async def wait(self, number: int, seconds: float) -> BackgroundProgram:
        """The program once it has ended, or as it is after so many seconds."""
        program = self._program(number)
        with anyio.move_on_after(seconds):
            await program.ended.wait()
        return program.told()

    async def kill(self, number: int) -> BackgroundProgram:
        """Kill it."""
        program = self._program(number)
        program.scope.cancel()
        await program.ended.wait()
        return program.told()

    def programs(self) -> tuple[BackgroundProgram, ...]:
        """Every background program, running or ended."""
        return tuple(program.told() for program in self._programs.values())

    async def read(self, path: str, *, offset: int, limit: int) -> tuple[bytes, int]:
        """Part of a file, and its size."""
        data = self.files.regular(path).data
        return data[offset : offset + limit], len(data)

    async def write(self, path: str, data: bytes, *, append: bool = False) -> None:
        """Write a file below /workspace or /tmp."""
        if not path.startswith(("/workspace/", "/tmp/")):  # noqa: S108
            raise _refused(path, errno.EROFS)
        before = b""
        if path in self.files.nodes:
            before = self.files.regular(path).data
        self.files.put(path, before + data if append else data)

    async def list(self, path: str) -> tuple[FileEntry, ...]:
        """The entries of a directory by name, or the entry of a file."""
        node = self.files.find(path)
        if node.kind == "symlink":
            raise _refused(path, errno.ELOOP)
        if node.kind != "directory":
            return (_entry(path, node),)
        return tuple(
            _entry(other, found)
            for other, found in sorted(self.files.nodes.items())
            if other != path and posixpath.dirname(other) == path
        )

    async def stat(self, path: str) -> FileEntry:
        """What a path is."""
        return _entry(path, self.files.find(path))

    async def end(self) -> None:
        """Kill every background program."""
        for number in self._programs:
            await self.kill(number)

    def _script(self, command: Command) -> Script:
        name = command.argv[0]
        if command.argv[:2] == ("/bin/sh", "-c"):
            line = command.argv[2]
            return self._scripts.get(line) or self._scripts.get(line.split(None, 1)[0]) or _not_found
        script = self._scripts.get(name)
        if script is None:
            raise _refused(name, errno.ENOENT)
        return script

    def _program(self, number: int) -> _Background:
        program = self._programs.get(number)
        if program is None:
            raise ExecutionError(f"There is no background program {number} in this session.")
        return program


class MemorySandboxes:
    """`ports.Sandboxes` in memory. Enter it (`async with`) where background programs are started.

    Args:
        programs: scripts by name, or by a whole shell line.
    """

    def __init__(self, programs: Mapping[str, Script] | None = None) -> None:
        self.programs = dict(programs or {})
        self.leases: list[tuple[str, Principal | None]] = []
        self._boxes: dict[str, MemorySandbox] = {}
        self._turns: dict[str, anyio.Lock] = {}
        self._group: TaskGroup | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Let background programs be started."""
        self._group = await self._stack.enter_async_context(anyio.create_task_group())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every background program."""
        self._tasks().cancel_scope.cancel()
        await self._stack.aclose()

    @asynccontextmanager
    async def lease(self, session: str, principal: Principal | None = None) -> AsyncIterator[Sandbox]:
        """The session's sandbox, for one call at a time."""
        self.leases.append((session, principal))
        async with self._turns.setdefault(session, anyio.Lock()):
            yield self.of(session)

    async def end(self, session: str) -> None:
        """Forget the session's files and end its programs."""
        box = self._boxes.pop(session, None)
        if box is not None:
            await box.end()

    def of(self, session: str) -> MemorySandbox:
        """The session's sandbox, to fill it or to look at it."""
        return self._boxes.setdefault(session, MemorySandbox(self.programs, self._tasks))

    def _tasks(self) -> TaskGroup:
        if self._group is None:
            raise RuntimeError("background programs need `async with MemorySandboxes(...)`")
        return self._group


@dataclass(slots=True, kw_only=True)
class _Background:
    number: int
    running: Running
    began: float
    result: CommandResult | None = None
    ended: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    async def run(self, script: Script) -> None:
        try:
            with self.scope:
                self.result = await _until_deadline(script, self.running)
        finally:
            if self.result is None:
                self.result = self.running.result(None, signal.SIGKILL, self.began)
            self.ended.set()

    def told(self) -> BackgroundProgram:
        result = self.result or self.running.result(None, None, self.began)
        return BackgroundProgram(
            number=self.number, command=self.running.command, running=self.result is None, result=result
        )


async def _until_deadline(script: Script, running: Running) -> CommandResult:
    began, code = anyio.current_time(), None
    with anyio.move_on_after(running.command.timeout):
        code = await script(running)
    if code is None:
        return running.result(None, signal.SIGKILL, began, timed_out=True)
    return running.result(code, None, began)


async def _not_found(running: Running) -> int:
    await running.err(b"sh: not found\n")
    return 127


def _entry(path: str, node: Node) -> FileEntry:
    size = 0 if node.kind == "directory" else len(node.data)
    name = posixpath.basename(path)
    return FileEntry(name=name, kind=node.kind, size=size, mode=node.mode, modified_at=0.0)


def _refused(path: str, number: int) -> ExecutionError:
    return ExecutionError(f"{path[:256]}: {os.strerror(number)}")


__all__ = ["Files", "MemorySandbox", "MemorySandboxes", "Node", "Running", "Script"]
