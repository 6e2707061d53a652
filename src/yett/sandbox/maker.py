# SPDX-License-Identifier: Apache-2.0
"""Where containers are made and ended: names and one-time secrets, and how many may be alive.

A container that cannot be seen dead counts as alive until the engine has no such container. `supply.py`
makes and buries through this, `reaper.py` asks it which are ours. It must never lose count of one that lives.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from statistics import median

import anyio
from anyio.abc import TaskGroup

from yett.action import Secret
from yett.errors import ConfigurationError, SandboxUnavailable
from yett.ports import Entropy, Forward
from yett.sandbox.breaker import EngineSilent
from yett.sandbox.container import Container
from yett.sandbox.driver import Driver
from yett.sandbox.images import seccomp_profile
from yett.sandbox.ownership import Owner
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.transport_choice import TransportChoice

GATEWAY_LABEL = "yett.gateway"
RUN_LABEL = "yett.run"
OWNER_LABEL = "yett.owner"

_SOCKET_PATH_LIMIT = 107 - len("/12345678901234567890123456/s")
_MEASURED = 32
_DOUBT = 60.0
"""How long a container that a silent engine may make late is looked for, in seconds."""


class Maker:
    """Makes containers of one gateway."""

    def __init__(
        self,
        engine: Driver,
        settings: SandboxSettings,
        *,
        instance: str,
        run_dir: Path,
        entropy: Entropy,
        forward: Forward | None = None,
    ) -> None:
        """`instance` is the gateway's, the same after a restart; `run_dir` is where sockets live.

        `forward` serves what programs send to the proxy's port.

        Raises:
            ConfigurationError: `run_dir` is too long for a socket.
        """
        if len(str(run_dir).encode()) > _SOCKET_PATH_LIMIT:
            raise ConfigurationError(
                f"The folder for sandbox sockets is longer than {_SOCKET_PATH_LIMIT} bytes: {run_dir}",
                advice="Choose a shorter one, as /run/yett.",
            )
        self._engine = engine
        self._settings = settings
        self._run_dir = run_dir
        self._entropy = entropy
        self._forward = forward
        self._transports = TransportChoice(settings)
        self._seccomp = seccomp_profile()
        self.instance = instance
        self.run = entropy.id("run")
        """Names this run of the gateway, and no other."""
        self._labels = {
            GATEWAY_LABEL: instance,
            RUN_LABEL: self.run,
            OWNER_LABEL: Owner.of_this_process().label(),
        }
        self._making: set[str] = set()
        self._living: set[str] = set()
        self._lingering: set[str] = set()
        self._buried: deque[str] = deque(maxlen=2 * settings.containers)
        self._took: deque[float] = deque(maxlen=_MEASURED)
        self._doubt_until = 0.0

    @property
    def alive(self) -> int:
        """Containers that live, may live, or are being made."""
        return len(self._living) + len(self._lingering) + len(self._making)

    @property
    def making(self) -> int:
        """Containers that are being made."""
        return len(self._making)

    def holds(self, name: str) -> bool:
        """Whether a container of that name is in use here, or being made."""
        return name in self._living or name in self._making

    def buried(self, name: str) -> bool:
        """Whether it was one of ours a while ago, so that the engine is removing it by itself."""
        return name in self._buried and name not in self._lingering

    @property
    def in_doubt(self) -> bool:
        """Whether the engine may have, or may still make, one that nobody here holds."""
        return bool(self._lingering) or anyio.current_time() < self._doubt_until

    @property
    def seconds(self) -> float | None:
        """The median time it took to make one, lately."""
        return median(self._took) if self._took else None

    def prepare(self) -> None:
        """Make the folder for sockets, for this user alone."""
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._run_dir.chmod(0o700)

    async def make(self, tasks: TaskGroup) -> Container:
        """A new container, its runner ready; what it says is read in `tasks`.

        Raises:
            SandboxUnavailable: no engine, no image, the engine or the runner did not answer in time.
        """
        if not self._engine.breaker.passable:
            raise EngineSilent("the container engine did not answer lately and is left alone for a moment")
        token = self._entropy.id("c").removeprefix("c-")
        name = name_of(token)
        self._making.add(name)
        began = anyio.current_time()
        try:
            container = await self._start(name, token, tasks)
        except BaseException as fault:
            # Whatever it was, an engine that was asked may have made it, or may still do so.
            self._doubt_until = anyio.current_time() + _DOUBT
            if isinstance(fault, OSError):
                raise SandboxUnavailable(f"a container could not be reached: {fault}") from fault
            raise
        finally:
            self._making.discard(name)
        self._living.add(name)
        self._took.append(anyio.current_time() - began)
        return container

    async def bury(self, container: Container) -> bool:
        """Kill and remove a container; dead when this returns. False when that was done before."""
        if container.name not in self._living:
            return False
        self._living.discard(container.name)
        self._lingering.add(container.name)
        self._buried.append(container.name)
        await container.destroy()
        if container.removed:
            self._lingering.discard(container.name)
        return True

    def gone(self, names: frozenset[str]) -> None:
        """The engine has none of these any more."""
        self._lingering -= names

    @property
    def lingering(self) -> frozenset[str]:
        """Those that were ended and not seen dead yet."""
        return frozenset(self._lingering)

    async def _start(self, name: str, token: str, tasks: TaskGroup) -> Container:
        return await Container.create(
            self._engine,
            self._settings,
            name=name,
            folder=self._run_dir / token,
            secret=Secret(self._entropy.token()),
            seccomp=self._seccomp,
            labels=self._labels,
            transports=self._transports,
            tasks=tasks,
            forward=self._forward,
        )


def name_of(token: str) -> str:
    """The name of the container whose socket lies in the folder `token`."""
    return f"yett-{token}"
