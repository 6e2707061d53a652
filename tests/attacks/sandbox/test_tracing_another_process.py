# SPDX-License-Identifier: Apache-2.0
import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_no_process_can_be_traced_or_read_not_even_a_child(attacked):
    tried = await attacked("tracing")
    assert len(tried) == 5
    assert set(tried.values()) <= {"EPERM", "ENOSYS"}
