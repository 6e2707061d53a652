# SPDX-License-Identifier: Apache-2.0
"""A user namespace would give every capability inside of it, and with it half of the kernel's surface."""

import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_no_namespace_can_be_made_or_entered(attacked):
    tried = await attacked("namespaces")
    assert len(tried) == 13
    assert set(tried.values()) <= {"EPERM", "EACCES", "ENOSYS"}
