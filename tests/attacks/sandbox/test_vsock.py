# SPDX-License-Identifier: Apache-2.0
"""On a virtual machine AF_VSOCK reaches the hypervisor, and no network namespace holds it."""

import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_no_kind_of_vsock_can_be_opened(attacked):
    tried = await attacked("vsock")
    assert len(tried) == 5
    assert set(tried.values()) == {"EPERM"}
