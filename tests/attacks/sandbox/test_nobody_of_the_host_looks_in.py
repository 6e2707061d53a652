# SPDX-License-Identifier: Apache-2.0
"""Daemons of the host and other containers often run as nobody: that is no user of a sandbox."""

import subprocess

import pytest
from sandbox_world import marker, on_host, sh, until

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

LOOK = """
import os, sys
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
pid = sys.argv[1]
def tried(what, work):
    try:
        work()
    except OSError:
        return
    print(what)
tried("environ", lambda: open(f"/proc/{pid}/environ").read())
tried("root", lambda: os.listdir(f"/proc/{pid}/root/workspace"))
tried("write", lambda: open(f"/proc/{pid}/root/workspace/planted", "w"))
tried("kill", lambda: os.kill(int(pid), 0))
"""


async def test_nobody_reads_writes_or_kills_nothing_of_a_sandbox(sandboxes_of):
    import sys

    import anyio

    seconds = marker()
    async with sandboxes_of() as boxes, boxes.lease("s") as box, anyio.create_task_group() as tasks:
        tasks.start_soon(box.run, sh(f"sleep {seconds}"))
        await until(lambda: on_host(seconds))
        pid = on_host(seconds)[0]
        done = await anyio.to_thread.run_sync(
            lambda: subprocess.run(
                [sys.executable, "-c", LOOK, str(pid)], capture_output=True, text=True, check=True, timeout=20
            )
        )
        tasks.cancel_scope.cancel()
    assert done.stdout == ""
