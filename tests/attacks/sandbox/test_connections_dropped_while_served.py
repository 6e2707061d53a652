# SPDX-License-Identifier: Apache-2.0
"""A program connects, asks for something slow and hangs up, again and again: what it asked for piles up."""

import anyio
import pytest
from fake_runner import connection, faced
from sandbox_world import sh, until

from yett.action import Principal
from yett.sandbox.connection_frames import CONNECTIONS
from yett.sandbox.pool import DockerSandboxes

pytestmark = pytest.mark.anyio

ANN = Principal(id="agent:ann", agent="ann")


class Slow:
    """A forward whose request takes until it is released, whether its program is still there or not."""

    def __init__(self):
        self.now = self.most = self.all = 0
        self.release = anyio.Event()

    async def __call__(self, stream, principal):
        del stream, principal
        self.now += 1
        self.all += 1
        self.most = max(self.most, self.now)
        try:
            await self.release.wait()
        finally:
            self.now -= 1


async def drop(runner, count, first=0):
    """Connections that are opened and reset; the gateway's word on each must have come."""
    for number in range(first, first + count):
        await runner.say(connection(b"o", number), connection(b"x", number))
        assert await runner.asked() == ("x", number.to_bytes(2, "little"))


async def test_no_more_is_served_than_may_be_open_and_room_comes_back(tmp_path):
    slow = Slow()
    async with faced(tmp_path, forward=slow) as (box, runner):
        box.principal = ANN
        await drop(runner, 3 * CONNECTIONS)
        assert slow.now == CONNECTIONS
        slow.release.set()
        await until(lambda: not slow.now, 5)
        await drop(runner, 1, first=1000)
        assert slow.all == CONNECTIONS + 1
        assert box.usable


@pytest.mark.engine
async def test_a_program_that_drops_its_connections_has_no_more_of_them(
    settings_of, run_dir, entropy, instance, attack_program
):
    slow = Slow()
    boxes = DockerSandboxes(settings_of(), instance=instance, run_dir=run_dir, entropy=entropy, forward=slow)
    async with boxes, boxes.lease("s", ANN) as box:
        await box.write("/workspace/attack", attack_program)
        result = await box.run(sh("chmod +x attack; exec ./attack dropped"))
        assert result.stdout == b"500\n", result
        assert slow.most == CONNECTIONS
        assert (await box.run(sh("echo on"))).stdout == b"on\n"
        slow.release.set()
