# SPDX-License-Identifier: Apache-2.0
import errno

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_descriptors_end_at_the_limit_and_the_next_call_has_its_own(sandboxes_of, attack_program, host):
    async with sandboxes_of(open_files=64) as boxes, boxes.lease("s") as box:
        await box.write("/workspace/attack", attack_program)
        first = await box.run(sh("chmod +x attack && exec ./attack descriptors"))
        lines = dict(line.split(" ", 1) for line in first.stdout.decode().splitlines())
        assert lines["dup"] == f"63 {errno.EMFILE}"
        assert lines["pipe"] == lines["socket"] == f"-1 {errno.EMFILE}"
        again = await box.run(sh("exec ./attack descriptors"))
        assert again.stdout == first.stdout
    host.unharmed()


async def test_descriptors_in_flight_are_bounded_and_gone_with_the_call(sandboxes_of, attack_program, host):
    """Sent over a socket and never received: the kernel bounds them by the sender's own limit."""
    async with sandboxes_of(open_files=64) as boxes, boxes.lease("s") as box:
        await box.write("/workspace/attack", attack_program)
        sent = await box.run(sh("chmod +x attack && exec ./attack in-flight"))
        assert int(sent.stdout.split()[1]) <= 64 + 64
        assert (await box.run(sh("echo alive"))).stdout == b"alive\n"
    host.unharmed()
