# SPDX-License-Identifier: Apache-2.0
"""A gateway that runs one long command, to be killed: IMAGE INSTANCE RUN_DIR SECONDS [SETTINGS_JSON]."""

import json
import sys
from pathlib import Path

import anyio
from sandbox_world import RealEntropy, sh

from yett.sandbox.pool import DockerSandboxes
from yett.sandbox.settings import SandboxSettings


async def main(image: str, instance: str, run_dir: str, seconds: str, more: str = "{}") -> None:
    settings = SandboxSettings(image=image, spares=1, **json.loads(more))
    boxes = DockerSandboxes(settings, instance=instance, run_dir=Path(run_dir), entropy=RealEntropy())
    async with boxes, boxes.lease("s") as box:
        await box.run(sh(f"setsid sleep {seconds} & sleep {seconds}"))


anyio.run(main, *sys.argv[1:])
