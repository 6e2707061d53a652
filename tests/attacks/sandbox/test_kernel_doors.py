# SPDX-License-Identifier: Apache-2.0
"""Calls that change the machine or have a history of holes. The exact list is in the seccomp tests."""

import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_reboot_bpf_io_uring_mounts_modules_clocks_and_the_rest_are_closed(attacked):
    tried = await attacked("kernel")
    assert len(tried) == 20
    assert set(tried.values()) <= {"EPERM", "ENOSYS"}
