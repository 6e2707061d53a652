# SPDX-License-Identifier: Apache-2.0
"""What a writable workspace may hold, measured on the host while programs run.

The engine limits nothing in a folder of the host. The folder is walked in a thread, seldom when a walk
takes long; in between, the free space of its file system tells at once when much was written. What a walk
could not see counts as too much. It must never change anything in the folder. Called by `watched.py`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import anyio
import anyio.to_thread

from yett.errors import EnvironmentFault
from yett.sandbox.beneath import Folder
from yett.sandbox.settings import MIB, HostWorkspace
from yett.sandbox.survey import Survey, places_in, survey

_PATIENCE = 20
"""A walk takes at most a twentieth of the time."""
_BLIND = 16 * MIB
"""What may be written while not everything can be seen."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the folder holds and what is free beside it, in bytes."""

    survey: Survey
    free: int


class WorkspaceQuota:
    """The quota of one workspace. Close it."""

    def __init__(self, workspace: HostWorkspace) -> None:
        """Open the folder.

        Raises:
            EnvironmentFault: it can't be opened, or a part of its path is a symbolic link.
        """
        self.workspace = workspace
        try:
            self._folder = Folder(workspace.path)
        except OSError as error:
            raise EnvironmentFault(f"the workspace {workspace.path}: {error.strerror}") from error
        self._turn = anyio.Lock()
        self._looked_at = -1e9
        self._took = 0.0
        self.usage = Usage(Survey(unseen="nobody has looked yet"), self.free())

    def close(self) -> None:
        """Let go of the folder."""
        self._folder.close()

    def free(self) -> int:
        """Bytes that an ordinary user could still write to the folder's file system."""
        found = os.fstatvfs(self._folder.fd)
        return found.f_bavail * found.f_frsize

    async def look(self) -> Usage:
        """Walk the folder now."""
        async with self._turn:
            return await self._walk()

    async def glance(self) -> Usage:
        """Walk the folder if that is due, or if enough was written since to matter."""
        async with self._turn:
            since = anyio.current_time() - self._looked_at
            written = self.usage.free - self.free()
            left = self.workspace.quota - self.usage.survey.size
            if since >= max(self.workspace.interval, self._took * _PATIENCE) or (
                written > max(left, MIB) and since >= self._took * 2
            ):
                return await self._walk()
            return self.usage

    def places(self) -> dict[str, tuple[int, int]]:
        """The protected names of the folder itself, as they are now."""
        return places_in(self._folder, self.workspace.protect)

    def over(self, usage: Usage, before: Usage | None = None) -> str:
        """Why this is too much, or nothing.

        Args:
            usage: now.
            before: what was there when a program began; it may run to make room, and may not add to it.
        """
        allowed = max(self.workspace.quota, before.survey.size if before else 0)
        held, limit = usage.survey.size, self.workspace.quota
        if held > allowed:
            return f"the workspace holds {held >> 20} MiB, more than its quota of {limit >> 20} MiB"
        if usage.survey.unseen and (before is None or not before.survey.unseen):
            return f"the workspace can't be measured: {usage.survey.unseen}"
        free = self.free()
        if free < self.workspace.reserve and (before is None or free < before.free - _BLIND):
            return (
                f"its disk has {free >> 20} MiB left, and {self.workspace.reserve >> 20} MiB are to stay free"
            )
        if before is not None and before.survey.unseen and free < before.free - _BLIND:
            return f"the workspace can't be measured: {before.survey.unseen}"
        return ""

    async def _walk(self) -> Usage:
        self._looked_at = anyio.current_time()
        free = self.free()
        seen = await anyio.to_thread.run_sync(self._survey)
        self._took = anyio.current_time() - self._looked_at
        self.usage = Usage(seen, free)
        return self.usage

    def _survey(self) -> Survey:
        try:
            return survey(self._folder, names=self.workspace.protect, most_files=self.workspace.files)
        except OSError as error:
            return Survey(unseen=str(error.strerror))
