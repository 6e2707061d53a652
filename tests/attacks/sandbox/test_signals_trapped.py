# SPDX-License-Identifier: Apache-2.0
import pytest
from sandbox_world import marker, sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

TRAPS = "trap '' HUP INT QUIT TERM USR1 USR2 ALRM TSTP TTIN TTOU CONT CHLD XCPU; "


@pytest.mark.parametrize("after", ["destroy", "keep"])
async def test_a_program_that_ignores_every_signal_ends_at_its_deadline(sandboxes_of, host, after):
    seconds = marker()
    async with sandboxes_of(after_timeout=after) as boxes:
        async with boxes.lease("s") as box:
            stubborn = await box.run(sh(f"{TRAPS} sleep {seconds} & while :; do :; done", timeout=0.5))
            assert stubborn.timed_out
            host.unharmed(seconds)
        async with boxes.lease("s") as box:
            assert (await box.run(sh("echo alive"))).stdout == b"alive\n"
    await host.cleared()


async def test_a_program_that_stopped_itself_ends_at_its_deadline(sandboxes_of, host):
    seconds = marker()
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        stopped = await box.run(sh(f"sleep {seconds} & kill -STOP $! $$", timeout=0.5))
        assert stopped.timed_out
        host.unharmed(seconds)
