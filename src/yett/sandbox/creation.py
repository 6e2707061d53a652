# SPDX-License-Identifier: Apache-2.0
"""From nothing to a started container with a line to it, or to nothing again. Called by `container.py`."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from yett.action import JsonObject, Secret
from yett.errors import SandboxUnavailable
from yett.sandbox.attach_transport import AttachApproach
from yett.sandbox.driver import Driver
from yett.sandbox.engine import EngineFacts
from yett.sandbox.engine_address import EngineAddress
from yett.sandbox.hardening import container_config
from yett.sandbox.line import Line
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.socket_transport import SocketApproach
from yett.sandbox.transport import Approach, TransportKind
from yett.sandbox.transport_choice import NotReached
from yett.sandbox.wire import ProtocolViolation
from yett.sandbox.workspace import Mounted, mounted

_NAME_TAKEN = (0.1, 0.3, 1.0)
"""Pauses in seconds before the name of one that is being removed is tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """A container to be.

    Args:
        engine, facts: where.
        settings: image and limits.
        name: new.
        folder: does not exist yet; made 0700, holds the socket.
        secret: one-time; the runner's first word.
        seccomp: the profile as JSON text.
        labels: for the reaper.
    """

    engine: Driver
    facts: EngineFacts
    settings: SandboxSettings
    name: str
    folder: Path
    secret: Secret
    seccomp: str
    labels: Mapping[str, str]

    @asynccontextmanager
    async def line(self, kind: TransportKind, deadline: float) -> AsyncIterator[Line]:
        """Make and start it; its line, on which nothing was said yet. When the body fails all is removed.

        Args:
            kind: which way.
            deadline: seconds from the start until somebody has come through.

        Raises:
            NotReached: nobody did, or the engine would not make it for this way.
            SandboxUnavailable: what became of a fault in the body.
        """
        try:
            async with self._approach(kind) as approach:
                await self._create(approach)
                try:
                    with anyio.fail_after(deadline):
                        transport = await approach.transport()
                except TimeoutError:
                    raise NotReached("The container's runner did not connect in time.") from None
            yield Line(transport, deadline=self.settings.file_deadline)
        except BaseException as fault:
            await self._undo()
            if isinstance(fault, TimeoutError):
                raise SandboxUnavailable("The container's runner did not connect in time.") from None
            if isinstance(fault, OSError | ProtocolViolation):
                raise SandboxUnavailable(f"The container could not be reached: {fault}") from fault
            raise

    def _approach(self, kind: TransportKind) -> Approach:
        if kind == "socket":
            return SocketApproach(self.folder)
        return AttachApproach(EngineAddress.parse(self.settings.engine), self.facts.api)

    async def _create(self, approach: Approach) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with mounted(self.settings.workspace, self.folder, mapped_users=self.facts.userns) as outside:
            await self._create_with(approach, outside)

    async def _create_with(self, approach: Approach, outside: Mounted) -> None:
        config = container_config(
            self.settings,
            socket=approach.socket,
            secret=self.secret.reveal(),
            seccomp=self.seccomp,
            labels=self.labels,
            private_cgroup_namespace=self.facts.knows_cgroup_namespaces,
            security=self.facts.security,
            mounts=outside.mounts,
            disk=outside.disk,
        )
        try:
            with anyio.CancelScope(shield=True):
                # Given up half-way it could still make the container, after we had removed nothing.
                await self._create_named(config)
            with anyio.fail_after(self.settings.engine_deadline):
                await approach.created(self.name)
        except TimeoutError:
            raise NotReached("attach: the engine did not answer in time") from None
        except SandboxUnavailable as fault:
            raise NotReached(str(fault), advice=fault.advice()) from fault
        try:
            await self.engine.start(self.name)
        except SandboxUnavailable as fault:
            raise NotReached(f"{fault} (runtime `{self.settings.runtime}`)", advice=fault.advice()) from fault

    async def _create_named(self, config: JsonObject) -> None:
        """Make it, also where the engine is still removing one of its name that was not reached."""
        for pause in _NAME_TAKEN:
            try:
                return await self.engine.create(self.name, config)
            except SandboxUnavailable as fault:
                if "already in use" not in str(fault):
                    raise
            await anyio.sleep(pause)
        return await self.engine.create(self.name, config)

    async def _undo(self) -> None:
        with anyio.CancelScope(shield=True):
            with contextlib.suppress(SandboxUnavailable):
                await self.engine.remove(self.name)
        shutil.rmtree(self.folder, ignore_errors=True)
