# SPDX-License-Identifier: Apache-2.0
"""The docker driver and the runc driver side by side, interleaved: `python benchmarks/runc_driver.py [ROUNDS]`.

Needs root, a Docker engine, runc and the tiny image's inputs. Prints medians, 95th percentiles and ratios; the
ratios are what to keep, the machine is what it is. `refill`: create + start + hello of one container. `call`: the
first call in it. `end`: from the wish to the last process's death and the call's return. `cleared`: until no
trace is left. `strict`: sustained never-used containers a second, each made, called once and removed, two workers.
"""

import asyncio
import json
import os
import re
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path

import anyio
import anyio.abc

from yett.action import Secret
from yett.ports import Command
from yett.sandbox.container import Container
from yett.sandbox.driver import driver_of
from yett.sandbox.images import ImageStore, build_tiny, seccomp_profile
from yett.sandbox.images.unpacked import UnpackedImages
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.transport_choice import TransportChoice

HELLO = Command(argv=("/bin/echo", "hi"))
STRICT_SECONDS = 8.0


class Side:
    def __init__(self, driver: str, folder: Path) -> None:
        self.name = driver
        self.folder = folder
        self.settings = SandboxSettings(
            driver=driver,
            image="yett/tiny:bench",
            engine_deadline=60,
            kill_grace=5,
            runc_images=f"{folder}/images",
            runc_state=f"{folder}/state",
        )
        self.engine = driver_of(self.settings)
        self.transports = TransportChoice(self.settings)
        self.times: dict[str, list[float]] = {}

    tasks: anyio.abc.TaskGroup

    async def make(self) -> Container:
        token = secrets.token_hex(8)
        return await Container.create(
            self.engine,
            self.settings,
            name=f"yett-{token}",
            folder=self.folder / token,
            secret=Secret(token),
            seccomp=seccomp_profile(),
            labels={"yett.bench": "1"},
            transports=self.transports,
            tasks=self.tasks,
        )

    def took(self, what: str, since: float) -> float:
        now = time.perf_counter()
        self.times.setdefault(what, []).append((now - since) * 1000)
        return now

    async def cleared(self) -> None:
        while await self.engine.labelled("yett.bench=1"):
            await asyncio.sleep(0.001)

    async def one(self) -> None:
        at = time.perf_counter()
        box = await self.make()
        at = self.took("refill", at)
        await box.run(HELLO)
        at = self.took("call", at)
        await box.destroy()
        self.took("end", at)
        await self.cleared()
        self.took("cleared", at)

    async def memory(self) -> float:
        """MiB that one warm container costs: its cgroup's charge, kernel memory included, and its shim."""
        box = await self.make()
        pid = (await self.engine.state(box.name)).pid
        used = charged(pid)
        parent = int(re.search(r"^PPid:\t(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])
        if parent not in {1, os.getpid()}:
            used += pss(parent)
        await box.destroy()
        await self.cleared()
        return used / (1 << 20)

    async def strict(self) -> float:
        done, until = 0, time.perf_counter() + STRICT_SECONDS

        async def worker() -> None:
            nonlocal done
            while time.perf_counter() < until:
                box = await self.make()
                await box.run(HELLO)
                await box.destroy()
                done += 1

        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(worker)
        await self.cleared()
        return done / STRICT_SECONDS


def charged(pid: int) -> int:
    rows = dict(line.split(":", 2)[1:] for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines())
    v1 = Path("/sys/fs/cgroup/memory") / rows.get("memory", "").lstrip("/") / "memory.usage_in_bytes"
    v2 = Path("/sys/fs/cgroup") / rows.get("", "").lstrip("/") / "memory.current"
    return int((v1 if "memory" in rows else v2).read_text())


def pss(pid: int) -> int:
    return 1024 * int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])


async def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="yb") as name:
        async with anyio.create_task_group() as Side.tasks:
            await compare(Path(name), rounds)
            Side.tasks.cancel_scope.cancel()


async def compare(folder: Path, rounds: int) -> None:
    folder.chmod(0o755)
    sides = []
    for driver in ("docker", "runc"):
        (folder / driver).mkdir(mode=0o755)
        sides.append(Side(driver, folder / driver))
    for side in sides:
        with (
            UnpackedImages(side.settings)
            if side.name == "runc"
            else ImageStore(side.settings.engine) as store
        ):
            build_tiny(store, cache=Path(tempfile.gettempdir()) / "yett-test-cache", tag="bench")
        await side.one()
        side.times.clear()
    for n in range(rounds):
        for side in sides if n % 2 else reversed(sides):
            await side.one()
    found = {}
    for side in sides:
        found[side.name] = {
            what: {"median": statistics.median(times), "p95": statistics.quantiles(times, n=20)[-1]}
            for what, times in side.times.items()
        }
    for _ in range(2):
        for side in sides:
            found[side.name].setdefault("memory MiB", []).append(await side.memory())
            found[side.name].setdefault("strict/s", []).append(await side.strict())
    for side in sides:
        await side.engine.aclose()
    print(json.dumps({"rounds": rounds, **found}, indent=1))
    for what in ("refill", "call", "end", "cleared"):
        docker, runc = (found[s][what]["median"] for s in ("docker", "runc"))
        print(f"{what}: docker {docker:.1f} ms, runc {runc:.1f} ms, ratio {docker / runc:.1f}")


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30))
