# SPDX-License-Identifier: Apache-2.0
import pytest

from yett.sandbox.verify import verify_hardening

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_the_kernel_agrees_with_every_control_that_was_asked_for(sandboxes_of, settings_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        controls = await verify_hardening(box, settings_of())
    assert len(controls) == 22
    assert [c for c in controls if not c.ok] == []


async def test_a_control_that_the_kernel_does_not_enforce_is_seen(sandboxes_of, settings_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        controls = await verify_hardening(
            box, settings_of(pids=7, memory=7 << 20, work_size=4096, open_files=9)
        )
    assert {c.control for c in controls if not c.ok} == {
        "pids",
        "memory",
        "swap",
        "mount /workspace",
        "open files",
    }
