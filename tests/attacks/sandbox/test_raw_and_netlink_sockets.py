# SPDX-License-Identifier: Apache-2.0
import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_no_raw_or_packet_socket_can_be_opened(attacked):
    tried = await attacked("raw")
    assert len(tried) == 7
    assert set(tried.values()) <= {"EPERM", "EACCES"}


async def test_no_netlink_family_but_routing_can_be_opened(attacked):
    """NETLINK_ROUTE is 0 and needed by libraries; its namespace has nothing but loopback to configure."""
    tried = await attacked("netlink")
    assert len(tried) == 22
    assert set(tried.values()) == {"EPERM"}
