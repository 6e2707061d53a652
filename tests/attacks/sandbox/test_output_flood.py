# SPDX-License-Identifier: Apache-2.0
import pytest
from sandbox_world import marker, on_host, sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_a_flood_is_cut_killed_and_leaves_the_sandbox_usable(sandboxes_of):
    async with sandboxes_of(flood_limit=1 << 20) as boxes, boxes.lease("s") as box:
        flood = await box.run(sh("yes", output_limit=1000))
        assert (len(flood.stdout), flood.stdout_truncated) == (1000, True)
        assert (flood.exit_code, flood.signal, flood.timed_out) == (None, 9, False)
        assert (await box.run(sh("echo alive"))).stdout == b"alive\n"


async def test_a_daemon_that_floods_after_its_parent_ended_does_not_hold_the_call(sandboxes_of):
    seconds = marker()
    async with sandboxes_of(flood_limit=1 << 30) as boxes, boxes.lease("s") as box:
        result = await box.run(sh(f"(yes & setsid sleep {seconds} &) & exit 0", output_limit=1000))
        assert (result.exit_code, result.timed_out) == (0, False)
        assert on_host(seconds) == []


async def test_what_is_under_the_flood_limit_is_not_killed(sandboxes_of):
    async with sandboxes_of(flood_limit=1 << 20) as boxes, boxes.lease("s") as box:
        result = await box.run(sh("head -c 1048576 /dev/zero", output_limit=10))
    assert (result.exit_code, result.stdout_truncated) == (0, True)
