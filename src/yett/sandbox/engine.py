# SPDX-License-Identifier: Apache-2.0
"""The Docker Engine API, each call in a worker thread, with a deadline and behind a circuit breaker.

An engine can hang for minutes (a runtime that never answers is enough). Nothing here may hang with
it: a call that misses its deadline is abandoned to its thread, whose socket has the same deadline,
and for a while every further call is refused at once. The calls of a tool do not come here at all:
they go down the container's own socket. Which engine that is, the settings say and nothing else: a client
that starts the gateway chooses its environment. `container.py`, `maker.py`, `reaper.py` and `images.py` call.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import docker
import requests
from docker.errors import APIError, DockerException, NotFound

from yett.action import JsonObject
from yett.errors import SandboxUnavailable
from yett.sandbox.breaker import Breaker, EngineSilent
from yett.sandbox.settings import SandboxSettings

T = TypeVar("T")

_WORKERS = 4
_ABANDONED = 16
"""So many threads may be stuck in calls that were given up; then there are no new ones."""
_ADVICE = "See whether the container engine answers: `docker version`, then its log."


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What the engine says of itself.

    Attributes:
        userns: whether container uids are mapped to others; `rootless` is one way to that.
        security: its security options, as `name=seccomp,profile=default`.
        oci: the version of the default runtime, as the engine tells it.
        warnings: of limits that it can't enforce.
    """

    version: str
    api: tuple[int, int]
    cgroup: str
    runtimes: frozenset[str]
    userns: bool
    security: tuple[str, ...]
    rootless: bool = False
    kernel: str = ""
    storage: str = ""
    oci: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def knows_cgroup_namespaces(self) -> bool:
        """Whether a container may be asked for its own cgroup namespace (Engine 20.10)."""
        return self.api >= (1, 41)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """A container's full id, whether it runs, and the pid of its PID 1 as the engine's host sees it."""

    id: str
    running: bool
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundContainer:
    """A container in the engine's list. `name` is its id where it has no name any more."""

    name: str
    labels: Mapping[str, str]
    running: bool


class _Client(docker.APIClient):
    """The SDK's client without the environment: HTTP_PROXY and .netrc have no say in where it connects."""

    @property
    def trust_env(self) -> bool:
        return False

    @trust_env.setter
    def trust_env(self, wish: bool) -> None:
        """What `requests.Session` sets by itself is not kept."""


class Engine:
    """One engine. Safe to share between tasks."""

    def __init__(self, settings: SandboxSettings) -> None:
        """`settings.engine` names the socket; `engine_deadline` and `breaker_pause` bound each call."""
        self.breaker = Breaker(settings.breaker_pause)
        self._settings = settings
        self._client: Any = None
        self._facts: EngineFacts | None = None
        self._workers: anyio.CapacityLimiter | None = None
        self._in_calls: set[object] = set()

    async def facts(self) -> EngineFacts:
        """Version, runtimes and the rest; asked once."""
        if self._facts is None:
            self._facts = await self._call("info", _read_facts)
        return self._facts

    async def image_labels(self, image: str) -> Mapping[str, str] | None:
        """The labels of an image, or None when the engine has no such image."""

        def look(client: Any) -> Mapping[str, str] | None:
            try:
                found = client.inspect_image(image)
            except NotFound:
                return None
            return dict(found["Config"].get("Labels") or {})

        return await self._call("inspect image", look)

    async def import_image(self, tar: bytes, *, repository: str, tag: str, changes: Sequence[str]) -> None:
        """Make an image of one layer from a tar archive. `changes` are Dockerfile instructions."""
        await self._call(
            "import image",
            lambda client: client.import_image_from_data(
                tar, repository=repository, tag=tag, changes=list(changes)
            ),
        )

    async def create(self, name: str, config: JsonObject) -> None:
        """Create a container from the body of the Engine API's `ContainerCreate`.

        Raises:
            SandboxUnavailable: no such image, or any other fault.
        """
        await self._call("create container", lambda client: client.create_container_from_config(config, name))

    async def start(self, name: str) -> None:
        """Start a created container."""
        await self._call("start container", lambda client: client.start(name))

    async def state(self, name: str) -> ContainerState:
        """How the container is."""
        found = await self._call("inspect container", lambda client: client.inspect_container(name))
        state = found["State"]
        return ContainerState(id=str(found["Id"]), running=bool(state["Running"]), pid=int(state["Pid"]))

    async def remove(self, name: str) -> None:
        """Kill and remove a container; one that is gone or going is fine."""

        def remove(client: Any) -> None:
            try:
                client.remove_container(name, force=True, v=True)
            except APIError as fault:
                if fault.status_code not in {404, 409}:
                    raise

        await self._call("remove container", remove)

    async def labelled(self, label: str) -> tuple[FoundContainer, ...]:
        """Containers, running or not, that carry a label (`name` or `name=value`)."""
        found = await self._call(
            "list containers", lambda client: client.containers(all=True, filters={"label": label})
        )
        return tuple(_found(c) for c in found)

    async def aclose(self) -> None:
        """Close idle connections."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _call(self, what: str, function: Callable[[Any], T]) -> T:
        if not self.breaker.passable:
            raise EngineSilent(
                f"{what}: the engine did not answer lately and is left alone for a moment", advice=_ADVICE
            )
        with self.breaker.attempt():
            return await self._ask(what, function)

    async def _ask(self, what: str, function: Callable[[Any], T]) -> T:
        if self._workers is None:
            self._workers = anyio.CapacityLimiter(_WORKERS)
        if len(self._in_calls) >= _ABANDONED:
            raise EngineSilent(f"{what}: {_ABANDONED} calls of the engine never came back", advice=_ADVICE)

        def work() -> T:
            call = object()
            self._in_calls.add(call)
            try:
                return function(self._connected())
            finally:
                self._in_calls.discard(call)

        try:
            with anyio.fail_after(self._settings.engine_deadline):
                return await anyio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._workers)
        except TimeoutError:
            raise EngineSilent(f"{what}: the engine did not answer in time", advice=_ADVICE) from None
        except APIError as fault:
            raise SandboxUnavailable(f"{what}: {fault.explanation or fault}", advice=_ADVICE) from fault
        except (DockerException, requests.RequestException, OSError) as fault:
            raise EngineSilent(
                f"no container engine answers at {self._settings.engine} ({what}: {fault})", advice=_ADVICE
            ) from fault
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            raise SandboxUnavailable(
                f"{what}: an answer that is no container engine's ({fault!r})", advice=_ADVICE
            ) from fault

    def _connected(self) -> Any:
        self._knock()
        if self._client is None:
            self._client = _Client(
                base_url=self._settings.engine, timeout=math.ceil(self._settings.engine_deadline)
            )
        return self._client

    def _knock(self) -> None:
        """See that somebody listens; the SDK leaves its socket to the garbage collector when nobody does."""
        scheme, _, path = self._settings.engine.partition("://")
        if scheme == "unix":
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(self._settings.engine_deadline)
                probe.connect(path)


def _read_facts(client: Any) -> EngineFacts:
    info = client.info()
    major, _, minor = str(client.api_version).partition(".")
    security = tuple(str(option) for option in info.get("SecurityOptions") or ())
    return EngineFacts(
        version=str(info.get("ServerVersion", "")),
        api=(int(major), int(minor)),
        cgroup=str(info.get("CgroupVersion", "")),
        runtimes=frozenset(info.get("Runtimes") or ()),
        userns=any("name=userns" in option or "name=rootless" in option for option in security),
        security=security,
        rootless=any("name=rootless" in option for option in security),
        kernel=str(info.get("KernelVersion", "")),
        storage=str(info.get("Driver", "")),
        oci=_runtime_version(client),
        warnings=tuple(str(warning) for warning in info.get("Warnings") or ()),
    )


def _runtime_version(client: Any) -> str:
    parts = client.version().get("Components") or ()
    return next((str(part["Version"]) for part in parts if part.get("Name") in {"runc", "crun"}), "")


def _found(row: Mapping[str, Any]) -> FoundContainer:
    return FoundContainer(
        name=str((row.get("Names") or [row["Id"]])[0]).lstrip("/"),
        labels=dict(row.get("Labels") or {}),
        running=row.get("State") == "running",
    )
