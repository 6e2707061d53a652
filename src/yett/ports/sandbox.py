# SPDX-License-Identifier: Apache-2.0
"""The door to the sandbox: containers by session, what runs in them and the files they hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

OnOutput = Callable[[str, bytes], Awaitable[None]]
"""Called with `stdout` or `stderr` and the bytes, as they come."""


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


class Sandbox(Protocol):
    """One container, held by one session for one call at a time. Paths are the container's own."""

    async def run(self, command: Command) -> CommandResult:
        """Run a program; when this returns nothing it started is alive."""
        ...

    async def read(self, path: str, *, offset: int, limit: int) -> tuple[bytes, int]:
        """Up to `limit` bytes from `offset`, and the file's size.

        Raises:
            ExecutionError: with the kernel's reason.
        """
        ...

    async def write(self, path: str, data: bytes, *, append: bool = False) -> None:
        """Write a regular file, making parent directories. Same errors as `read`."""
        ...

    async def list(self, path: str) -> tuple[FileEntry, ...]:
        """The entries of a directory, by name, or the entry of a file. Same errors as `read`."""
        ...


class Sandboxes(Protocol):
    """Containers by session."""

    def lease(self, session: str) -> AbstractAsyncContextManager[Sandbox]:
        """The session's container, made if need be. Cancelled or failed use destroys it.

        Raises:
            SandboxUnavailable: no engine, no image, or the engine does not answer in time.
        """
        ...

    async def end(self, session: str) -> None:
        """Destroy the session's container."""
        ...
