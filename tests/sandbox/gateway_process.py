# SPDX-License-Identifier: Apache-2.0
"""A gateway that is there to be killed: IMAGE INSTANCE RUN_DIR SECONDS [SETTINGS_JSON].

Two sessions run a long command, one is idle, and containers are made and thrown away all the time.
"""

import json
import sys
from pathlib import Path

import anyio
from sandbox_world import RealEntropy, sh

from yett.sandbox.pool import DockerSandboxes
from yett.sandbox.settings import SandboxSettings


async def main(image: str, instance: str, run_dir: str, seconds: str, more: str = "{}") -> None:
    settings = SandboxSettings(image=image, warm=1, refillers=4, **json.loads(more))
    boxes = DockerSandboxes(settings, instance=instance, run_dir=Path(run_dir), entropy=RealEntropy())

    async def call(session: str) -> None:
        async with boxes.lease(session) as box:
            await box.run(sh(f"setsid sleep {seconds} & sleep {seconds}"))

    async def come_and_go(session: str) -> None:
        while True:
            async with boxes.lease(session):
                pass
            await boxes.end(session)

    async with boxes, anyio.create_task_group() as group:
        async with boxes.lease("idle"):
            pass
        group.start_soon(call, "s")
        group.start_soon(call, "t")
        for number in range(4):
            group.start_soon(come_and_go, f"guest {number}")


anyio.run(main, *sys.argv[1:])
