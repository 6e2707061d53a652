# SPDX-License-Identifier: Apache-2.0
"""A program that exists only in memory runs, `noexec` or not: it is held by what holds all programs."""

import pytest
from sandbox_world import marker, sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_a_program_run_from_memory_is_under_the_same_controls(sandboxes_of, attack_program):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.write("/workspace/attack", attack_program)
        result = await box.run(sh("chmod +x attack && ./attack from-memory"))
    seen = dict(line.split(":", 1) for line in result.stdout.decode().splitlines() if ":" in line)
    assert seen["NoNewPrivs"].strip() == "1"
    assert seen["Seccomp"].strip() == "2"
    assert int(seen["CapEff"], 16) == int(seen["CapBnd"], 16) == 0
    assert set(seen["Uid"].split()) == {"60871"}


async def test_a_program_run_from_memory_dies_with_its_call(sandboxes_of, host):
    seconds = marker()
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.run(sh(f"cp /bin/busybox /tmp/sleep; /tmp/sleep {seconds}; /bin/sleep {seconds} & exit 0"))
        host.unharmed(seconds)
