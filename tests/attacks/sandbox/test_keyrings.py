# SPDX-License-Identifier: Apache-2.0
"""Keyrings of the kernel are not namespaced: a key of one container could be read in another."""

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_no_key_can_be_added_asked_for_or_read(attacked):
    tried = await attacked("keyrings")
    assert len(tried) == 5
    assert set(tried.values()) <= {"EPERM", "ENOSYS"}


async def test_the_list_of_keys_is_empty(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        seen = await box.run(sh("cat /proc/keys /proc/key-users 2>/dev/null | grep -v '^ *60871:' | wc -c"))
    assert seen.stdout.strip() == b"0"
