# SPDX-License-Identifier: Apache-2.0
"""Programs that change their user: none in the image, none can be made, and none would have an effect."""

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_the_image_has_none(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        found = await box.run(sh("find / -xdev -perm /6000 -type f 2>/dev/null"))
    assert found.stdout == b""


async def test_none_can_be_made_in_any_way_and_nobody_becomes_root(attacked):
    tried = await attacked("set-uid")
    assert len(tried) == 6
    assert set(tried.values()) == {"EPERM"}


async def test_su_changes_nothing(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        result = await box.run(sh("su -c id root </dev/null; login -f root </dev/null; id -u"))
    assert result.stdout.split()[-1:] == [b"60871"]
    assert b"uid=0" not in result.stdout
