# SPDX-License-Identifier: Apache-2.0
"""What `yett sandbox bench` measures of our own sandboxes, and how it times several ways in turn.

It uses what a gateway uses, `lease` and `run`, and looks at the host where the engine shares it. What cannot
be seen here is None and not a guess.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread

from yett.cli.sandbox_contenders import Contender, lease_and_echo
from yett.errors import ExecutionError, SandboxUnavailable
from yett.ports import Command, Sandboxes

_DEADLINE = 30.0
_SETTLE = 1.0
_CGROUPS = (
    "memory/docker/{id}/memory.usage_in_bytes",
    "docker/{id}/memory.current",
    "system.slice/docker-{id}.scope/memory.current",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strict:
    """One container a call, kept up: calls a second, refused as busy, failed, the longest wait in seconds."""

    rate: float
    refused: int
    failed: int
    longest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes for each warm container: what the host has less, the container's cgroup, its shim's share."""

    host: float | None
    cgroup: float | None
    shim: float | None


def each_takes(difference: float, count: int, parts: float) -> float | None:
    """What each container takes of the host, in bytes, or None.

    Args:
        difference: how much less the host had available afterwards.
        count: of containers.
        parts: what one is known to take at least; less means that something else moved meanwhile.
    """
    each = difference / count
    return each if each > 0 and each >= parts else None


def percentile(times: Sequence[float], share: float) -> float:
    """The value that so large a share of the times does not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


async def side_by_side(
    contenders: Sequence[Contender], rounds: int, on_round: Callable[[int], None]
) -> Mapping[str, list[float]]:
    """Seconds of each call, one call of each contender in turn; a first round warms up and is not counted."""
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        on_round(number)
        for contender in contenders:
            await anyio.sleep(contender.pause)
            started = time.perf_counter()
            await contender.call()
            if number:
                times[contender.name].append(time.perf_counter() - started)
    return times


async def calls_a_second(sandboxes: Sandboxes, *, sessions: int, seconds: float) -> float:
    """Calls that so many sessions get through at once, each in a container of its own."""
    for number in range(sessions):
        await lease_and_echo(sandboxes, f"rate-{number}")
    done = 0
    until = time.perf_counter() + seconds

    async def session(name: str) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await lease_and_echo(sandboxes, name)
            done += 1

    async with anyio.create_task_group() as group:
        for number in range(sessions):
            group.start_soon(session, f"rate-{number}")
    return done / seconds


async def kill_times(sandboxes: Sandboxes, *, times: int, marker: int) -> list[float] | None:
    """Seconds from giving a call up until each of its nine processes is gone; None where they cannot be seen.

    Args:
        sandboxes: the pool.
        times: how often.
        marker: a number of seconds to sleep that nothing else on this machine sleeps.
    """
    script = f"trap '' TERM INT HUP; for n in 1 2 3 4 5 6 7 8; do sleep {marker} & done; while :; do :; done"
    measured = []
    for _ in range(times):
        seen = await _killed(sandboxes, script, str(marker).encode())
        if seen is None:
            return None
        measured.append(seen)
    return measured


async def _killed(sandboxes: Sandboxes, script: str, marker: bytes) -> float | None:
    async def call(scope: anyio.CancelScope) -> None:
        with scope:
            async with sandboxes.lease("kill") as box:
                await box.run(Command(argv=("/bin/sh", "-c", script), timeout=_DEADLINE))

    scope = anyio.CancelScope()
    found: float | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(call, scope)
        watched: list[int] = []
        with anyio.move_on_after(_DEADLINE / 3):
            while len(watched := _pids(marker)) < 9:  # noqa: ASYNC110  (the host has no event for it)
                await anyio.sleep(0.01)
        if len(watched) >= 9:
            descriptors = [os.pidfd_open(pid) for pid in watched]
            try:
                started = time.perf_counter()
                scope.cancel()
                found = await anyio.to_thread.run_sync(_ended, descriptors, started)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
        scope.cancel()
    return found


def _pids(marker: bytes) -> list[int]:
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                line = Path(entry.path, "cmdline").read_bytes()
            except OSError:
                continue
            if marker in line:
                found.append(int(entry.name))
    return found


def _ended(descriptors: list[int], started: float) -> float | None:
    """Seconds since `started` until the last process ended."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    left = set(descriptors)
    while left:
        if time.perf_counter() - started > _DEADLINE:
            return None
        for descriptor, _ in poll.poll(100):
            poll.unregister(descriptor)
            left.discard(descriptor)
    return time.perf_counter() - started


async def strict(sandboxes: Sandboxes, *, callers: int, seconds: float) -> Strict:
    """Callers that never pause, against a pool that uses no container twice."""
    done = refused = failed = 0
    longest = 0.0
    began = time.perf_counter()

    async def caller(number: int) -> None:
        nonlocal done, refused, failed, longest
        while time.perf_counter() - began < seconds:
            started = time.perf_counter()
            try:
                await lease_and_echo(sandboxes, f"strict-{number}")
                done += 1
            except ExecutionError:
                refused += 1
                await anyio.sleep(0.1)
            except SandboxUnavailable:
                failed += 1
            longest = max(longest, time.perf_counter() - started)

    async with anyio.create_task_group() as group:
        for number in range(callers):
            group.start_soon(caller, number)
    return Strict(rate=done / (time.perf_counter() - began), refused=refused, failed=failed, longest=longest)


async def memory(
    sandboxes: Sandboxes, *, count: int, containers: Callable[[], Sequence[str]], before: float
) -> Memory | None:
    """What warm containers cost.

    Args:
        sandboxes: a pool that has just begun.
        count: of sessions to hold containers for.
        containers: ids of all of its containers; it may hold more than the sessions'.
        before: `available()` of before the pool was entered.
    """
    async with AsyncExitStack() as stack:
        for number in range(count):
            box = await stack.enter_async_context(sandboxes.lease(f"memory-{number}"))
            await box.run(Command(argv=("/bin/echo", "hi")))
        await anyio.sleep(_SETTLE)
        names = await anyio.to_thread.run_sync(containers)
        after = available()
        if not names:
            return None
        cgroup = _mean([_cgroup(name) for name in names])
        shim = _mean([_shim(name) for name in names])
        return Memory(
            host=each_takes(before - after, len(names), (cgroup or 0.0) + (shim or 0.0)),
            cgroup=cgroup,
            shim=shim,
        )


def available() -> float:
    """Bytes of memory that this machine has to give."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return float(line.split()[1]) * 1024
    return 0.0


def _cgroup(name: str) -> float | None:
    for pattern in _CGROUPS:
        path = Path("/sys/fs/cgroup") / pattern.format(id=name)
        if path.exists():
            return float(path.read_text())
    return None


def _shim(name: str) -> float | None:
    """The proportional share of memory of the container's containerd-shim."""
    for pid in _pids(name.encode()):
        try:
            if "containerd-shim" not in Path(f"/proc/{pid}/cmdline").read_text():
                continue
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    return float(line.split()[1]) * 1024
        except OSError:
            continue
    return None


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
