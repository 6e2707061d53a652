# SPDX-License-Identifier: Apache-2.0
"""A real engine with userns-remap: recognised, and the mapping is seen from inside."""

import pytest
from sandbox_world import sh

from yett.errors import SandboxUnavailable
from yett.sandbox.pool import DockerSandboxes
from yett.sandbox.settings import HostWorkspace, SandboxSettings
from yett.sandbox.verify import verify_hardening

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.fixture
def settings(remapped):
    address, image = remapped
    return lambda **more: SandboxSettings(
        engine=address, image=image, warm=0, engine_deadline=60, start_deadline=60, **more
    )


@pytest.fixture
def boxes_of(settings, run_dir, entropy, instance):
    return lambda **more: DockerSandboxes(
        settings(**more), instance=instance, run_dir=run_dir, entropy=entropy
    )


async def test_users_of_a_container_are_other_users_of_the_host_and_every_control_holds(boxes_of, settings):
    async with boxes_of() as boxes:
        facts = await boxes.engine.facts()
        assert (facts.userns, facts.rootless) == (True, False)
        async with boxes.lease("s") as box:
            assert (await box.run(sh("id -u"))).stdout == b"60871\n"
            await box.write("/workspace/f", b"x")
            controls = {c.control: c for c in await verify_hardening(box, settings(), facts)}
    assert [c for c in controls.values() if not c.ok] == []
    assert controls["user namespace"].seen == "its own"
    assert controls["users"].seen == "mapped"
    assert controls["users"].note == "0 200000 65536"


async def test_an_engine_that_says_it_maps_users_and_does_not_is_found_out(boxes_of, settings):
    async with boxes_of() as boxes:
        facts = await boxes.engine.facts()
        async with boxes.lease("s") as box:
            from yett.sandbox.look import look_around
            from yett.sandbox.verify import inspect

            seen = await look_around(box)
    unmapped = seen | {"users": "         0          0 4294967295"}
    assert [c.control for c in inspect(unmapped, settings(), facts) if not c.ok] == ["users"]


async def test_a_folder_of_the_host_can_be_read_and_not_be_written(boxes_of, tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "f").write_text("hello")
    async with boxes_of(workspace=HostWorkspace(path=str(folder))) as boxes, boxes.lease("s") as box:
        assert (await box.run(sh("cat f"))).stdout == b"hello"
    writable = HostWorkspace(path=str(folder), writable=True, uid=1000, gid=1000)
    async with boxes_of(workspace=writable) as boxes:
        with pytest.raises(SandboxUnavailable, match="maps users"):
            async with boxes.lease("s"):
                pass
