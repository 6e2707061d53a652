# SPDX-License-Identifier: Apache-2.0
import pytest
from sandbox_world import marker, on_host, sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_a_fork_bomb_stays_under_the_pid_limit_and_dies_with_its_call(sandboxes_of):
    seconds = marker()
    script = f"i=0; while [ $i -lt 300 ]; do sleep {seconds} & i=$((i+1)); done; sleep {seconds}"
    async with sandboxes_of(pids=40, after_timeout="keep") as boxes, boxes.lease("s") as box:
        bomb = await box.run(sh(script, timeout=1.5))
        assert b"can't fork" in bomb.stderr
        assert on_host(seconds) == []
        assert (await box.run(sh("echo alive"))).stdout == b"alive\n"


async def test_a_recursive_fork_bomb_that_ignores_signals_leaves_nothing(sandboxes_of):
    seconds = marker()
    script = f"trap '' TERM INT HUP; b() {{ sleep {seconds} & b | b & }}; b; sleep {seconds}"
    async with sandboxes_of(pids=40) as boxes:
        async with boxes.lease("s") as box:
            bomb = await box.run(sh(script, timeout=0.7))  # ends by itself when its own shell can't fork
            assert bomb.timed_out or b"can't fork" in bomb.stderr
            assert on_host(seconds) == []
        async with boxes.lease("s") as box:
            assert (await box.run(sh("echo alive"))).stdout == b"alive\n"
