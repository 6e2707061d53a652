# SPDX-License-Identifier: Apache-2.0
"""PID 1 is the gateway's runner, under the same user as the programs: they may neither hurt nor read it."""

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.mark.parametrize(
    "signal", ["KILL", "STOP", "TSTP", "SEGV", "TERM", "INT", "HUP", "USR1", "CHLD", "PIPE"]
)
async def test_no_signal_from_inside_ends_or_stops_it(sandboxes_of, host, signal):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        assert (await box.run(sh(f"kill -{signal} 1; echo sent"))).stdout == b"sent\n"
        await box.run(sh(f"kill -{signal} -1"))
        assert (await box.run(sh("echo alive"))).stdout == b"alive\n"
    await host.cleared()


async def test_its_memory_descriptors_and_environment_are_closed_to_its_own_user(sandboxes_of):
    opened = "environ mem maps smaps auxv stack syscall cwd/x root/x exe fd/0 fd/3 map_files/x pagemap"
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        script = "".join(
            f"head -c 1 /proc/1/{name} 2>/dev/null | grep -q . && echo read {name}; "
            for name in opened.split()
        )
        script += "ls /proc/1/fd/* /proc/1/map_files/* 2>/dev/null; "
        script += "(echo x > /proc/1/mem) 2>/dev/null && echo wrote; true"
        assert (await box.run(sh(script))).stdout == b""
