# SPDX-License-Identifier: Apache-2.0
"""Removes containers and socket folders that nobody holds: a crashed gateway's, a late engine's.

Run at start and on a timer by `pool.py`. It must never touch a container of a gateway that lives or may
live: another gateway's is removed only when its process can be proved dead.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import anyio

from yett.errors import SandboxUnavailable
from yett.sandbox.driver import Driver
from yett.sandbox.engine import FoundContainer
from yett.sandbox.maker import GATEWAY_LABEL, OWNER_LABEL, RUN_LABEL, Maker, name_of
from yett.sandbox.ownership import Owner
from yett.sandbox.settings import SandboxSettings

_TICK = 5.0


class Reaper:
    """Removes what others left behind."""

    def __init__(self, engine: Driver, maker: Maker, settings: SandboxSettings, *, run_dir: Path) -> None:
        """`maker` knows which containers are in use; `run_dir` is this gateway's alone."""
        self._interval = settings.reap_interval
        self._engine = engine
        self._maker = maker
        self._run_dir = run_dir
        self.removed = 0
        """How many containers, in all."""

    async def run(self) -> None:
        """Reap on a timer; sooner while the engine may have something of ours that we do not know of."""
        due = anyio.current_time() + self._interval
        while True:
            await anyio.sleep(min(_TICK, self._interval / 2))
            if anyio.current_time() >= due or self._maker.in_doubt:
                due = anyio.current_time() + self._interval
                with suppress(SandboxUnavailable):
                    await self.reap()

    async def reap(self) -> int:
        """Remove what nobody holds; how many containers.

        Raises:
            SandboxUnavailable: the engine does not answer.
        """
        lingering = self._maker.lingering  # those of now: what is ended meanwhile may not be in the list
        found = await self._engine.labelled(GATEWAY_LABEL)
        self._maker.gone(lingering - {container.name for container in found})
        count = 0
        for container in found:
            if self._nobodys(container):
                await self._engine.remove(container.name)
                count += not self._maker.buried(container.name)
        self.removed += count
        self._clear_folders()
        return count

    def _nobodys(self, container: FoundContainer) -> bool:
        labels = container.labels
        if labels.get(RUN_LABEL) == self._maker.run:
            return not self._maker.holds(container.name)
        label = labels.get(OWNER_LABEL)
        owner = Owner.parse(label) if label else None
        if owner is not None and owner.alive is not None:
            return not owner.alive
        # Nothing can be proved. There is one gateway a state folder, so it was an earlier run of ours, unless
        # another machine or container has a folder of that name: then the gateway of what runs still lives.
        ours = labels.get(GATEWAY_LABEL) == self._maker.instance
        return ours and (owner is None or (owner.on_this_machine and not container.running))

    def _clear_folders(self) -> None:
        for folder in self._run_dir.iterdir() if self._run_dir.exists() else ():
            if not self._maker.holds(name_of(folder.name)):
                shutil.rmtree(folder, ignore_errors=True)
