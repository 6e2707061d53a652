# SPDX-License-Identifier: Apache-2.0
"""Files of a container, by requests to its runner: no path is ever opened on the host.

What comes back may be no more than was asked for. `container.py` is the only caller.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace

from yett.errors import ExecutionError
from yett.ports import FileEntry
from yett.sandbox.line import Line
from yett.sandbox.protocol import Answer, Data, Entries, Info
from yett.sandbox.reply import KernelError, Reply, ask
from yett.sandbox.requests import encode_list, encode_read, encode_stat, encode_write
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.wire import ProtocolViolation


class Files:
    """Those of one container."""

    def __init__(self, line: Line, settings: SandboxSettings) -> None:
        """Over its line."""
        self._line = line
        self._settings = settings

    async def read(self, path: str, *, offset: int, limit: int) -> tuple[bytes, int]:
        """Up to `limit` bytes of a regular file from `offset`, and the file's size.

        Raises:
            ExecutionError: with the kernel's reason; a limit over `file_limit`.
        """
        if limit > self._settings.file_limit:
            raise ExecutionError(f"At most {self._settings.file_limit} bytes can be read in one call.")
        data, sizes = bytearray(), list[int]()

        def take(answer: Answer) -> None:
            if isinstance(answer, Info):
                sizes.append(answer.entry.size)
            elif isinstance(answer, Data):
                data.extend(answer.data)
            if len(data) > limit or len(sizes) != 1:
                raise ProtocolViolation("More of a file than was asked for.")

        await self._ask(path, encode_read(path, offset=offset, limit=limit), take, Info, Data)
        return bytes(data), sizes[0] if sizes else 0

    async def write(self, path: str, data: bytes, *, append: bool) -> None:
        """Write a regular file, making parent directories.

        Raises:
            ExecutionError: with the kernel's reason; more than `file_limit`.
        """
        if len(data) > self._settings.file_limit:
            raise ExecutionError(f"At most {self._settings.file_limit} bytes can be written in one call.")
        await self._ask(path, encode_write(path, data, append=append), None)

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
            if len(found) > limit:
                raise ProtocolViolation("More entries than were asked for.")

        try:
            await self._ask(path, encode_list(path, limit=limit), take, Entries)
        except KernelError as fault:
            if fault.errno != errno.ENOTDIR:
                raise
            return (await self.stat(path),)
        return tuple(sorted(found, key=lambda e: e.name))

    async def stat(self, path: str) -> FileEntry:
        """What a path is; a symbolic link is told as such.

        Raises:
            ExecutionError: with the kernel's reason.
        """
        found: list[FileEntry] = []

        def take(answer: Answer) -> None:
            if found:
                raise ProtocolViolation("More about a path than was asked for.")
            if isinstance(answer, Info):
                found.append(replace(answer.entry, name=path.rstrip("/").rpartition("/")[2]))

        await self._ask(path, encode_stat(path), take, Info)
        if not found:
            self._line.break_(ProtocolViolation("Nothing about a path that was asked for."))
            self._line.check()
        return found[0]

    async def _ask(
        self, path: str, request: bytes, take: Callable[[Answer], None] | None, *expected: type[Answer]
    ) -> None:
        """Send a file request and hand each of its answers to `take`, which may refuse one by raising."""
        reply = Reply(*expected, take=take)
        failure = await ask(self._line, request, reply, self._settings.file_deadline)
        if failure is not None:
            raise KernelError(path, failure)
