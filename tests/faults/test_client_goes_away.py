# SPDX-License-Identifier: Apache-2.0
"""A client that goes away in mid-call: its process dies with the call, and the log says cancelled."""

import http.client
import json
import signal

import anyio
import pytest
from sandbox_world import marker, on_host

from running import raw_line, until

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


def outcome_of(gateway, seconds):
    ours = [a for e, a, f in gateway.records("decision") if seconds in str(f.get("arguments"))]
    return [f["status"] for e, a, f in gateway.records("outcome") if a in ours]


async def ends_cancelled(gateway, seconds):
    await until(lambda: on_host(seconds) == [])
    await until(lambda: outcome_of(gateway, seconds) == ["cancelled"])


def sleeping(seconds):
    return {"command": f"setsid sleep {seconds} & sleep {seconds}"}


@pytest.mark.parametrize(
    ("transport", "mode"), [("stdio", "auto"), ("stdio", "legacy"), ("http", "auto"), ("http", "legacy")]
)
async def test_a_call_that_its_client_cancels_dies(shell_gate, transport, mode):
    """The client's own way of its era: closing the request, or notifications/cancelled."""
    seconds = marker()
    async with shell_gate.client(transport, mode=mode) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "shell_run", sleeping(seconds))
            await until(lambda: len(on_host(seconds)) == 2)
            tasks.cancel_scope.cancel()
        await ends_cancelled(shell_gate, seconds)


@pytest.mark.parametrize(("transport", "mode"), [("stdio", "auto"), ("stdio", "legacy"), ("http", "auto")])
async def test_a_call_dies_with_its_client(shell_gate, transport, mode):
    """All of the client at once, without a word. Legacy HTTP is another matter, see below."""
    seconds = marker()
    async with anyio.create_task_group() as tasks:

        async def client():
            async with shell_gate.client(transport, mode=mode) as connected:  # noqa: SIM117  # the client outlives the call
                async with anyio.create_task_group() as calls:
                    calls.start_soon(connected.call_tool, "shell_run", sleeping(seconds))
                    await until(lambda: len(on_host(seconds)) == 2)
                    tasks.cancel_scope.cancel()

        tasks.start_soon(client)
    await ends_cancelled(shell_gate, seconds)


async def test_a_call_dies_with_a_shim_that_is_killed(shell_gate):
    import subprocess

    parameters = shell_gate.shim_parameters()
    seconds = marker()
    shim = subprocess.Popen(  # noqa: ASYNC220  # at once, or not at all
        [parameters.command, *parameters.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=parameters.env,
    )
    with shim:
        for message in hello_and_call(seconds):
            shim.stdin.write(json.dumps(message).encode() + b"\n")
            shim.stdin.flush()
        await until(lambda: len(on_host(seconds)) == 2)
        shim.send_signal(signal.SIGKILL)
        shim.wait()
    await ends_cancelled(shell_gate, seconds)


def hello_and_call(seconds, **capabilities):
    yield {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": capabilities,
            "clientInfo": {"name": "raw", "version": "1"},
        },
    }
    yield {"jsonrpc": "2.0", "method": "notifications/initialized"}
    yield {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "shell_run", "arguments": sleeping(seconds)},
    }


async def test_a_call_dies_with_a_raw_line_that_is_cut(shell_gate):
    seconds = marker()
    with raw_line(shell_gate) as (link, lines, _):
        for message in hello_and_call(seconds):
            lines.write(json.dumps(message).encode() + b"\n")
        lines.flush()
        await until(lambda: len(on_host(seconds)) == 2)
        link.shutdown(2)
    await ends_cancelled(shell_gate, seconds)


def posted(gateway, message, session=None):
    """A POST whose answer is not read."""
    link = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=15)
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Authorization": f"Bearer {gateway.tokens['research-1']}",
        "MCP-Protocol-Version": "2025-06-18",
    }
    if session:
        headers["Mcp-Session-Id"] = session
    link.request("POST", "/mcp", json.dumps(message), headers)
    return link


async def opened_and_called(gateway, seconds, **capabilities):
    """A handshake session with a call that runs, and its connection."""
    initialize, initialized, call = hello_and_call(seconds, **capabilities)
    link = posted(gateway, initialize)
    session = dict(link.getresponse().getheaders())["mcp-session-id"]
    link.close()
    posted(gateway, initialized, session).close()
    link = posted(gateway, call, session)
    await until(lambda: len(on_host(seconds)) == 2)
    return session, link


async def test_a_lost_handshake_connection_ends_a_call_whose_answer_has_nowhere_else_to_go(shell_gate):
    """A client that can't be asked gets its answer on that connection or not at all."""
    seconds = marker()
    _, link = await opened_and_called(shell_gate, seconds)
    link.close()
    await ends_cancelled(shell_gate, seconds)


async def test_a_lost_handshake_connection_of_a_stream_is_no_cancellation_but_a_delete_is(shell_gate):
    """Before 2026-07-28 a lost stream is not the client's word: it may come back for the answer."""
    seconds = marker()
    session, link = await opened_and_called(shell_gate, seconds, elicitation={})
    link.close()
    await anyio.sleep(0.3)
    assert len(on_host(seconds)) == 2
    status, _, _ = shell_gate.post(None, method="DELETE", headers={"Mcp-Session-Id": session})
    assert status in {200, 202, 204}
    await ends_cancelled(shell_gate, seconds)


async def test_a_delete_ends_a_call_of_its_session(shell_gate):
    seconds = marker()
    session, link = await opened_and_called(shell_gate, seconds)
    shell_gate.post(None, method="DELETE", headers={"Mcp-Session-Id": session}, agent="research-2")
    await anyio.sleep(0.2)
    assert len(on_host(seconds)) == 2  # another agent's word ends nothing
    shell_gate.post(None, method="DELETE", headers={"Mcp-Session-Id": session})
    await ends_cancelled(shell_gate, seconds)
    link.close()


async def test_a_client_that_goes_away_while_a_person_is_asked_leaves_the_question(shell_gate):
    async with shell_gate.client("stdio") as client:
        with anyio.move_on_after(0.05):
            await shell_gate.fetch(client, "/away", "POST")

    def asked():
        shown = (shell_gate.ask("approvals.show", id=approval) for approval in shell_gate.pending())
        return any(row["arguments"]["url"].endswith("/away") for row in shown)

    await until(asked)
    assert shell_gate.witness.count("/away") == 0
