# SPDX-License-Identifier: Apache-2.0
"""The door to the sandbox: containers by session, what runs in them and the files they hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from anyio.abc import ByteStream

from yett.action import OnOutput, Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program to run in a sandbox. `timeout` is seconds, `output_limit` bytes for each stream."""

    argv: tuple[str, ...]
    cwd: str = "/workspace"
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    timeout: float = 60.0
    output_limit: int = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandResult:
    """How a program ended. `exit_code` is None when a signal ended it; `duration` is seconds."""

    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    stdout_truncated: bool = False
    stderr_truncated: bool = False
    timed_out: bool = False
    oom: bool = False
    duration: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """One entry of a directory in a sandbox. `kind` is file, directory, symlink or other."""

    name: str
    kind: str
    size: int
    mode: int
    modified_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundProgram:
    """A program that was asked to outlive its call. `number` is its name in its container, from 1.

    While `running`, `result` is what is known so far: the output until now, no exit code and no signal.
    """

    number: int
    command: Command
    running: bool
    result: CommandResult


class Sandbox(Protocol):
    """One container, held by one session for one call at a time. Paths are the container's own.

    No file operation follows a symbolic link, in no part of the path: what was decided on is what is opened.
    """

    async def run(self, command: Command, on_output: OnOutput | None = None) -> CommandResult:
        """Run a program; when this returns nothing it started is alive. Background programs stay."""
        ...

    async def start(self, command: Command) -> BackgroundProgram:
        """Start a program that stays alive when the lease ends, up to `command.timeout` seconds.

        Raises:
            ExecutionError: it could not be started, or the container has as many as it may.
        """
        ...

    async def wait(self, number: int, seconds: float) -> BackgroundProgram:
        """A background program once it has ended, or as it is after so many seconds.

        Raises:
            ExecutionError: there is none of that number.
        """
        ...

    async def kill(self, number: int) -> BackgroundProgram:
        """Kill a background program and all it started. Same errors as `wait`."""
        ...

    def programs(self) -> tuple[BackgroundProgram, ...]:
        """Every background program of the container, running or ended."""
        ...

    async def read(self, path: str, *, offset: int, limit: int) -> tuple[bytes, int]:
        """Up to `limit` bytes from `offset`, and the file's size.

        Raises:
            ExecutionError: with the kernel's reason.
        """
        ...

    async def write(self, path: str, data: bytes, *, append: bool = False) -> None:
        """Write a regular file, making parent directories: all of it or, on an error, nothing.

        Appending is not atomic. Same errors as `read`.
        """
        ...

    async def list(self, path: str) -> tuple[FileEntry, ...]:
        """The entries of a directory, by name, or the entry of a file. Same errors as `read`."""
        ...

    async def stat(self, path: str) -> FileEntry:
        """What a path is; a symbolic link is told as such. Same errors as `read`."""
        ...


Forward = Callable[[ByteStream, Principal], Awaitable[None]]
"""Serves one connection that a program of this principal made to the sandbox's loopback port; closes it."""


class Sandboxes(Protocol):
    """Containers by session."""

    def lease(self, session: str, principal: Principal | None = None) -> AbstractAsyncContextManager[Sandbox]:
        """The session's container, made if need be. Cancelled or failed use destroys it.

        Args:
            session: whose container.
            principal: who asks. An agent has a bounded number of containers, and what programs of the
                container send out is sent in this principal's name. None: nobody's, and nothing is sent.

        Raises:
            SandboxUnavailable: no engine, no image, or the engine does not answer in time.
            ExecutionError: busy; retry after a while.
        """
        ...

    async def end(self, session: str) -> None:
        """Destroy the session's container."""
        ...
