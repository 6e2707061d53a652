# SPDX-License-Identifier: Apache-2.0
"""While a container starts its socket waits for PID 1; another user of the machine tries to be first."""

import subprocess
import sys

import anyio
import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

TRY = """
import os, socket, sys
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
for what, work in (
    ("listed", lambda: os.listdir(os.path.dirname(sys.argv[1]))),
    ("connected", lambda: socket.socket(socket.AF_UNIX).connect(sys.argv[1])),
):
    try:
        work()
        print(what)
    except PermissionError:
        print("refused")
"""


async def test_another_user_neither_sees_nor_reaches_it_and_the_container_starts(
    sandboxes_of, run_dir, monkeypatch
):
    boxes, said = sandboxes_of(), []
    start = boxes.engine.start

    async def tried(name):
        path = next(run_dir.rglob("s"))
        command = [sys.executable, "-c", TRY, str(path)]
        done = await anyio.to_thread.run_sync(
            lambda: subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        )
        said.extend(done.stdout.split())
        await start(name)

    monkeypatch.setattr(boxes.engine, "start", tried)
    async with boxes, boxes.lease("s") as box:
        assert (await box.run(sh("echo alive"))).stdout == b"alive\n"
    assert said == ["refused", "refused"]
