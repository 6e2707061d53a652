# SPDX-License-Identifier: Apache-2.0
import socket

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_no_address_but_its_own_loopback_answers(sandboxes_of):
    """Also a service that listens on every address of the host: a bridge would let it through."""
    with socket.create_server(("0.0.0.0", 0)) as host:
        port = host.getsockname()[1]
        host.settimeout(0.5)
        addresses = "127.0.0.1 172.17.0.1 169.254.169.254 10.0.0.1"
        script = f"for a in {addresses}; do nc -w 1 $a {port} </dev/null && echo reached $a; done"
        async with sandboxes_of() as boxes, boxes.lease("s") as box:
            result = await box.run(sh(script))
        assert result.stdout == b""
        with pytest.raises(TimeoutError):
            host.accept()


async def test_there_is_no_route_no_interface_and_no_name(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        routes = await box.run(sh("tail -n +2 /proc/net/route; tail -n +3 /proc/net/dev | cut -d: -f1"))
        names = await box.run(sh("nslookup example.com; wget -T 1 -q http://example.com/"))
    assert routes.stdout.split() == [b"lo"]
    assert names.exit_code != 0


async def test_loopback_inside_works(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        result = await box.run(
            sh("nc -l -p 9000 -e echo hi & until nc -w 2 127.0.0.1 9000 </dev/null; do usleep 20000; done")
        )
    assert result.stdout == b"hi\n"
