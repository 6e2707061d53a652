# SPDX-License-Identifier: Apache-2.0
"""Containers by runc itself, with no engine (`driver.Driver`): about a sixth of an engine's time each.

Each container has a user namespace of its own with two ids of the host that nobody else has. A container is a
folder (its bundle) with its labels in it, made before anything else and removed last, so that `labelled`
finds all that a crashed gateway left. When PID 1 ends, its cgroup, runc's state and the bundle go at once.
Every run of runc has a deadline, in a worker thread that is never abandoned: nothing is made late.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import select
import shutil
import signal
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar, cast

import anyio
import anyio.to_thread

from yett.action import JsonObject
from yett.errors import SandboxUnavailable
from yett.sandbox.breaker import Breaker
from yett.sandbox.engine import ContainerState, EngineFacts, FoundContainer
from yett.sandbox.runc_cgroup import cgroup_path, cgroup_version, clear_empty, end_and_clear, member
from yett.sandbox.runc_counts import counts_of
from yett.sandbox.runc_images import ImageRoots
from yett.sandbox.runc_program import RuncProgram
from yett.sandbox.runc_spec import oci_spec
from yett.sandbox.settings import SandboxSettings

T = TypeVar("T")

_WORKERS = 4
_LATEST = 30.0
"""Seconds after its deadline in which a runc whose gateway is dead may still be at work."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SPOKEN_API = (1, 41)
"""The Engine API whose `ContainerCreate` is understood."""
_USER_NAMESPACES = Path("/proc/sys/user/max_user_namespaces")
_APPARMOR = Path("/sys/kernel/security/apparmor/profiles")


class Runc:
    """The driver. One event loop's; safe to share between its tasks."""

    def __init__(self, settings: SandboxSettings) -> None:
        """`settings.runc_images` and `runc_state` are its folders, `engine_deadline` bounds each run."""
        self.breaker = Breaker(settings.breaker_pause)
        self._settings = settings
        state = Path(settings.runc_state)
        self._bundles = state / "bundles"
        self._states = state / "states"
        self._images = ImageRoots(
            Path(settings.runc_images),
            size=settings.image_size,
            files=settings.image_files,
            deadline=settings.engine_deadline,
        )
        self._orphan_age = 2 * settings.engine_deadline + _LATEST
        self._program = RuncProgram(state=self._states, deadline=settings.engine_deadline)
        self._facts: EngineFacts | None = None
        self._workers: anyio.CapacityLimiter | None = None
        self._inits: dict[str, int] = {}
        """A pidfd of each PID 1 that was started here and is not known to have ended."""
        self._clearing: dict[str, asyncio.Future[None]] = {}

    async def facts(self) -> EngineFacts:
        """See the port.

        Raises:
            SandboxUnavailable: not root, no user namespaces, no runc or one that is too old.
        """
        if self._facts is None:
            self._facts = await self._work(self._look)
        return self._facts

    def used_images(self) -> frozenset[str]:
        """Digests of the images that containers of any gateway stand on. Reads files: not for the loop."""
        return frozenset(str(known["digest"]) for known in self._known().values())

    async def create(self, name: str, config: JsonObject) -> None:
        """See the port.

        Raises:
            SandboxUnavailable: no such image, a name that is taken, or a body that asks for what is unknown.
        """
        await self.facts()
        await self._work(lambda: self._bundle(name, config))

    async def start(self, name: str) -> None:
        """See the port."""
        # Shielded, and bounded by the deadline: half a start is no state.
        with self.breaker.attempt(), anyio.CancelScope(shield=True):
            pidfd = await self._work(lambda: self._run(name))
            self._inits[name] = pidfd
            asyncio.get_running_loop().add_reader(pidfd, self._ended, name)

    async def state(self, name: str) -> ContainerState:
        """See the port. One that another process started is told as not running."""
        pidfd = self._inits.get(name)
        if pidfd is None:
            if not (self._bundle_of(name)).exists():
                raise SandboxUnavailable(f"There is no container {name}.")
            return ContainerState(id=name, running=False, pid=0)
        running = not select.select([pidfd], [], [], 0)[0]
        pid = int((self._bundle_of(name) / "pid").read_text()) if running else 0
        return ContainerState(id=name, running=running, pid=pid)

    async def remove(self, name: str) -> None:
        """See the port.

        Raises:
            SandboxUnavailable: something in it does not die.
        """
        self._bundle_of(name)
        pidfd = self._inits.get(name)
        if pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            self._ended(name)
        clearing = self._clearing.get(name)
        if clearing is not None:
            with contextlib.suppress(SandboxUnavailable):
                await asyncio.shield(clearing)
        await self._work(lambda: self._clear(name, None))

    async def labelled(self, label: str) -> tuple[FoundContainer, ...]:
        """See the port."""
        key, equals, value = label.partition("=")
        found = await self._work(self._found)
        return tuple(
            each for each in found if key in each.labels and (not equals or each.labels[key] == value)
        )

    async def aclose(self) -> None:
        """Wait for what is being cleared away, and let go of the rest without touching it."""
        for clearing in tuple(self._clearing.values()):
            with contextlib.suppress(SandboxUnavailable):
                await asyncio.shield(clearing)
        for pidfd in self._inits.values():
            asyncio.get_running_loop().remove_reader(pidfd)
            os.close(pidfd)
        self._inits.clear()

    def _look(self) -> EngineFacts:
        if os.geteuid() != 0:
            raise SandboxUnavailable(
                "The runc driver needs root: cgroups and unused user ids are given by root alone.",
                advice="Run the gateway as root, or use tools.shell.driver: docker with a rootless engine.",
            )
        try:
            allowed = int(_USER_NAMESPACES.read_text())
        except OSError:
            allowed = 0
        if allowed == 0:
            raise SandboxUnavailable(
                "This kernel gives no user namespaces.", advice="sysctl user.max_user_namespaces=10000"
            )
        version = self._program.version()
        for folder in (self._bundles, self._states):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._bundles.parent.chmod(0o700)
        security = ["name=seccomp,profile=builtin", "name=userns", "name=cgroupns"]
        with contextlib.suppress(OSError):
            if "docker-default " in _APPARMOR.read_text():
                security.append("name=apparmor")
        return EngineFacts(
            version=f"runc {version.package or version.version}",
            api=_SPOKEN_API,
            cgroup=cgroup_version(),
            runtimes=frozenset({"runc"}),
            userns=True,
            oci=version.version,
            security=tuple(security),
        )

    def _bundle(self, name: str, config: JsonObject) -> None:
        bundle = self._bundle_of(name)
        image = str(config["Image"])
        if self._images.find(image) is None:
            raise _no_image(image)
        self._images.check()
        with self._images.unchanged():
            found = self._images.find(image)
            if found is None:
                raise _no_image(image)
            spec = oci_spec(config, name=name, root=str(found.path), cgroup=cgroup_path(name), device=_device)
            try:
                bundle.mkdir(mode=0o700)
            except FileExistsError:
                raise SandboxUnavailable(f"There is a container {name} already.") from None
            known = {"labels": config.get("Labels") or {}, "digest": found.digest}
            (bundle / "known.json").write_text(json.dumps(known))
        (bundle / "config.json").write_text(json.dumps(spec))

    def _run(self, name: str) -> int:
        bundle = self._bundle_of(name)
        try:
            pid = self._program.start(name, bundle)
            pidfd = _open(pid)
            try:
                if not member(pid, name):  # looked at after it was opened: no later process of that number
                    raise SandboxUnavailable("The container's PID 1 ended at once.")
                self._program.bound(pid, pidfd, counts_of(self._settings.containers))
            except BaseException:
                os.close(pidfd)
                raise
        except BaseException:
            with contextlib.suppress(SandboxUnavailable):
                self._clear(name, None)
            raise
        finally:
            (bundle / "config.json").unlink(missing_ok=True)  # the one-time secret is in it
        return pidfd

    def _ended(self, name: str) -> None:
        pidfd = self._inits.pop(name, None)
        if pidfd is None:
            return  # `remove` was first
        loop = asyncio.get_running_loop()
        loop.remove_reader(pidfd)
        clearing = loop.run_in_executor(None, self._clear, name, pidfd)
        self._clearing[name] = clearing
        clearing.add_done_callback(lambda done: (self._clearing.pop(name, None), done.exception()))

    def _clear(self, name: str, pidfd: int | None) -> None:
        """Kill what is left of a container and remove every trace of it. Again is fine."""
        try:
            end_and_clear(name, self._settings.kill_grace + self._settings.engine_deadline)
        finally:
            if pidfd is not None:
                # Ours to bury only where this process is the init of its pid namespace or a subreaper.
                with contextlib.suppress(ChildProcessError):
                    os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
                os.close(pidfd)
        shutil.rmtree(self._states / name, ignore_errors=True)
        shutil.rmtree(self._bundle_of(name), ignore_errors=True)

    def _known(self) -> dict[str, JsonObject]:
        found: dict[str, JsonObject] = {}
        for bundle in self._bundles.iterdir() if self._bundles.exists() else ():
            try:
                found[bundle.name] = json.loads((bundle / "known.json").read_text())
            except (OSError, ValueError):
                continue  # just being made, or just going
        return found

    def _found(self) -> list[FoundContainer]:
        known = self._known()
        self._clear_orphans(known)
        return [
            FoundContainer(name=name, labels=cast("dict[str, str]", each["labels"]), running=self._runs(name))
            for name, each in known.items()
        ]

    def _clear_orphans(self, known: Collection[str]) -> None:
        """What a runc that outlived its gateway made after all was cleared away."""
        clear_empty(known, self._orphan_age)
        for state in self._states.iterdir() if self._states.exists() else ():
            with contextlib.suppress(OSError):
                if state.name not in known and time.time() - state.stat().st_ctime >= self._orphan_age:
                    self._clear(state.name, None)

    def _runs(self, name: str) -> bool:
        """Whether its PID 1 lives, whoever started it."""
        try:
            return member(int((self._bundle_of(name) / "pid").read_text()), name)
        except (OSError, ValueError):
            return False

    def _bundle_of(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise SandboxUnavailable(f"This is no name of a container: {name[:80]!r}")
        return self._bundles / name

    async def _work(self, function: Callable[[], T]) -> T:
        if self._workers is None:
            self._workers = anyio.CapacityLimiter(_WORKERS)
        try:
            return await anyio.to_thread.run_sync(function, limiter=self._workers)
        except OSError as fault:
            raise SandboxUnavailable(f"The runc driver: {fault}") from fault


def _open(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise SandboxUnavailable("The container's PID 1 ended at once.") from None


def _device(path: str) -> tuple[int, int]:
    number = Path(path).stat().st_rdev
    return os.major(number), os.minor(number)


def _no_image(image: str) -> SandboxUnavailable:
    return SandboxUnavailable(
        f"There is no image {image} among those unpacked for runc.",
        advice="yett sandbox build --driver runc",
    )
