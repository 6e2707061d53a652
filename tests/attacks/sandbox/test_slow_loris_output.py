# SPDX-License-Identifier: Apache-2.0
"""A program that always has one more byte to say: it moves no deadline."""

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_output_that_drips_for_ever_ends_at_the_deadline(sandboxes_of, attack_program, host):
    async with sandboxes_of() as boxes:
        async with boxes.lease("s") as box:
            await box.write("/workspace/attack", attack_program)
            dripping = await box.run(sh("chmod +x attack; exec ./attack drip", timeout=0.7))
            assert dripping.timed_out
            assert set(dripping.stdout) == {ord(".")}
        async with boxes.lease("s") as box:
            assert (await box.run(sh("echo alive"))).stdout == b"alive\n"
    await host.cleared()


async def test_a_daemon_that_drips_does_not_hold_the_call_that_left_it(sandboxes_of, attack_program):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.write("/workspace/attack", attack_program)
        result = await box.run(sh("chmod +x attack; ./attack drip & exit 3", timeout=15))
        assert (result.exit_code, result.timed_out) == (3, False)
