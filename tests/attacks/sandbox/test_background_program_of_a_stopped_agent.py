# SPDX-License-Identifier: Apache-2.0
"""A program in the background goes on sending when its agent may no longer call: nothing of it gets out."""

import anyio
import pytest

from running import RULES, RunningGateway, until

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

SHELL = {"id": "shell", "allow": ["shell_run", "shell_wait"], "to": "writer"}


@pytest.fixture
def online(tiny_image):
    with RunningGateway(start=False) as gateway:
        gateway.write(
            rules=[*RULES, SHELL],
            tools={"http": {}, "shell": {"image": tiny_image, "timeout": "20s", "network": "egress"}},
        )
        gateway.start()
        gateway.issue_all()
        yield gateway


def session_of(gateway, agent):
    rows = gateway.ask("sessions.list")
    return next(row["id"] for row in rows if row["agent"] == agent and row["state"] != "ended")


STOPS = {
    "suspended": lambda g: g.ask("agents.suspend", name="research-1", suspended=True),
    "revoked": lambda g: g.ask("agents.revoke", name="research-1"),
    "frozen": lambda g: g.ask("sessions.change", id=session_of(g, "research-1"), change="freeze"),
}


@pytest.mark.parametrize("how", STOPS)
async def test_its_requests_end_with_the_agents_right_to_call(online, how):
    path = f"/beacon/{how}"
    url = f"http://127.0.0.1:{online.witness.port}{path}"
    loop = f"export no_proxy=; while true; do wget -q -O /dev/null {url}; sleep 0.1; done"
    async with online.client() as client:
        await client.call_tool("shell_run", {"command": loop, "background": True})
    await until(lambda: online.witness.count(path) > 2)
    STOPS[how](online)
    await until(lambda: any(f.get("tool") == "http_request" for _, _, f in online.records("refusal")))
    sent = online.witness.count(path)
    await anyio.sleep(1.5)
    assert online.witness.count(path) == sent
    online.verified()
