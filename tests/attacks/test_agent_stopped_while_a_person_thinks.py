# SPDX-License-Identifier: Apache-2.0
"""An agent is stopped while its question stands or its call runs; a late yes opens nothing."""

import anyio
import pytest
from sandbox_world import marker, on_host

from running import RunningGateway, rule_of, text_of, until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def own():
    with RunningGateway() as gateway:
        yield gateway


def session_of(gateway, agent):
    rows = gateway.ask("sessions.list")
    return next(row["id"] for row in rows if row["agent"] == agent and row["state"] != "ended")


STOPS = {
    "suspended": (
        lambda g: g.ask("agents.suspend", name="research-1", suspended=True),
        lambda g: g.ask("agents.suspend", name="research-1", suspended=False),
        "gate.unauthenticated",
    ),
    "frozen": (
        lambda g: g.ask("sessions.change", id=session_of(g, "research-1"), change="freeze"),
        lambda g: g.ask("sessions.change", id=session_of(g, "research-1"), change="release"),
        "gate.session-stopped",
    ),
}


@pytest.mark.parametrize("how", STOPS)
async def test_an_approval_given_after_the_agent_was_stopped_runs_nothing(own, how):
    """The call is still open: its client was asked and says nothing."""
    stop, go, rule = STOPS[how]
    path = f"/stopped/{how}"
    replies = []

    async def silent(context, params):
        await anyio.sleep_forever()

    async def call(client):
        replies.append(await own.fetch(client, path, "POST"))

    async with own.client("stdio", mode="legacy", elicitation_callback=silent) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, client)
            await until(own.pending)
            (approval,) = own.pending()
            stop(own)
            own.ask("approvals.approve", id=approval)
        assert rule_of(replies[0]) == rule
        assert own.witness.count(path) == 0
        assert rule_of(await own.fetch(client, path)) == rule  # nor anything else on the open line
        go(own)
        assert "seen" in text_of(await own.fetch(client, path, "POST"))  # the approval was not used up
    assert own.witness.count(path) == 1


async def test_a_credential_revoked_under_an_open_line_is_no_good_for_the_next_call(own):
    for transport in ("stdio", "http"):
        async with own.client(transport, mode="legacy", agent="research-2") as client:
            assert "seen" in text_of(await own.fetch(client, "/revoked/before"))
            own.ask("agents.revoke", name="research-2")
            if transport == "stdio":
                assert rule_of(await own.fetch(client, "/revoked/after")) == "gate.unauthenticated"
            own.issue("research-2")
    assert own.witness.count("/revoked/after") == 0


@pytest.mark.engine
async def test_a_session_that_is_killed_takes_its_running_command_along(shell_gate):
    seconds = marker()
    replies = []

    async def call(client):
        replies.append(await client.call_tool("shell_run", {"command": f"sleep {seconds}"}))

    async with shell_gate.client("stdio", agent="research-2") as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, client)
            await until(lambda: len(on_host(seconds)) == 1)
            session = session_of(shell_gate, "research-2")
            shell_gate.ask("sessions.change", id=session, change="kill")
        assert on_host(seconds) == []
        assert replies[0].is_error
        denied = await client.call_tool("shell_run", {"command": "true"})
        assert rule_of(denied) == "gate.session-stopped"
        shell_gate.ask("sessions.change", id=session, change="release")
        assert not (await client.call_tool("shell_run", {"command": "true"})).is_error
