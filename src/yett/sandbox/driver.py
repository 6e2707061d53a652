# SPDX-License-Identifier: Apache-2.0
"""What makes containers: the port of the Docker Engine (`engine.py`) and of runc itself (`runc.py`).

`container.py` and `pool.py` speak to this alone. The body of a container is always
the Engine API's, from `hardening.py`: there is one list of controls, and no driver may leave one out.
"""

from __future__ import annotations

from typing import Protocol

from yett.action import JsonObject
from yett.sandbox.breaker import Breaker
from yett.sandbox.engine import ContainerState, Engine, EngineFacts, FoundContainer
from yett.sandbox.runc import Runc
from yett.sandbox.settings import SandboxSettings


class Driver(Protocol):
    """Makes and removes containers; each call has a deadline and raises `SandboxUnavailable` beyond it."""

    breaker: Breaker

    async def facts(self) -> EngineFacts:
        """What it is and what it has; asked once."""
        ...

    async def create(self, name: str, config: JsonObject) -> None:
        """Get a container ready from the body of the Engine API's `ContainerCreate`. Nothing runs yet."""
        ...

    async def start(self, name: str) -> None:
        """Start its PID 1."""
        ...

    async def state(self, name: str) -> ContainerState:
        """How it is."""
        ...

    async def remove(self, name: str) -> None:
        """Kill and remove it; one that is gone or going is fine."""
        ...

    async def labelled(self, label: str) -> tuple[FoundContainer, ...]:
        """Containers, running or not, that carry a label (`name` or `name=value`)."""
        ...

    async def aclose(self) -> None:
        """Let go of what is held."""
        ...


def driver_of(settings: SandboxSettings) -> Driver:
    """The driver that the settings name. Nothing is asked of it yet."""
    return Runc(settings) if settings.driver == "runc" else Engine(settings)
