# SPDX-License-Identifier: Apache-2.0
"""The one way out of a sandbox leads to the gate, whatever a program says at its port."""

import pytest

from running import RULES, SHELL_RULE, RunningGateway
from running import text_of as said

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.fixture(scope="module")
def online(tiny_image):
    with RunningGateway(start=False) as gateway:
        gateway.write(
            rules=[*RULES, SHELL_RULE],
            tools={"http": {}, "shell": {"image": tiny_image, "timeout": "20s", "network": "egress"}},
        )
        gateway.start()
        gateway.issue_all()
        yield gateway


async def shell(gateway, command):
    async with gateway.client() as client:
        return said(await client.call_tool("shell_run", {"command": command}))


def site(gateway, path):
    return f"http://127.0.0.1:{gateway.witness.port}{path}"


async def test_a_programs_request_to_an_allowed_host_arrives_and_is_recorded(online):
    # no_proxy is for the sandbox's own loopback; the witness stands for a host of the list
    seen = await shell(online, f"no_proxy= wget -q -O- {site(online, '/sandbox/allowed')}")
    assert online.witness.count("/sandbox/allowed") == 1, seen
    assert "yett:" not in seen


async def test_another_host_another_port_and_what_rules_close_are_refused_and_never_reached(online):
    closed = [
        site(online, "/never/mind"),
        "http://169.254.169.254/latest/meta-data/",
        "http://metadata.google.internal/",
        "http://127.0.0.1:22/",
        f"http://2130706433:{online.witness.port}/never",
        "http://example.com/",
    ]
    for url in closed:
        seen = await shell(online, f"no_proxy= wget -q -O- '{url}' || echo refused")
        assert "refused" in seen, (url, seen)
    assert online.witness.count("/never/mind") == online.witness.count("/never") == 0


async def test_raw_bytes_at_the_port_get_no_further_than_the_gate(online):
    port = online.witness.port
    twice = f"POST {site(online, '/raw')} HTTP/1.1|Host: x|Transfer-Encoding: chunked|Content-Length: 3||0||"
    tries = {
        f"CONNECT 127.0.0.1:{port} HTTP/1.1|Host: x||GET /raw HTTP/1.0||": "seen",
        "CONNECT 127.0.0.1:22 HTTP/1.1|Host: x||SSH-2.0-x|": "SSH",
        "GET /raw HTTP/1.1|Host: example.com||": " 200 ",
        f"{twice}GET {site(online, '/smuggled')} HTTP/1.1||": " 200 ",
    }
    for words, never in tries.items():
        wire = words.replace("|", "\\r\\n")
        seen = await shell(online, f"printf '{wire}' | timeout 5 nc 127.0.0.1 3128 | head -c 400; true")
        assert never not in seen, (words, seen)
    assert online.witness.count("/raw") == online.witness.count("/smuggled") == 0


async def test_a_request_that_needs_a_person_is_held_and_names_its_approval(online):
    head = f"POST {site(online, '/sandbox/asked')} HTTP/1.1|Host: x|Content-Length: 1||x"
    post = head.replace("|", "\\r\\n")
    seen = await shell(online, f"(printf '{post}'; sleep 8) | timeout 10 nc 127.0.0.1 3128; true")
    assert "HTTP/1.1 403" in seen
    assert "appr-" in seen or "approval" in seen
    assert online.witness.count("/sandbox/asked") == 0


async def test_the_port_is_closed_where_no_way_out_is_configured(sandboxes_of):
    from sandbox_world import sh

    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        result = await box.run(sh("nc -w 2 127.0.0.1 3128 </dev/null; env | grep -i proxy"))
    assert (result.exit_code, result.stdout) == (1, b"")
