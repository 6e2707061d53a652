# SPDX-License-Identifier: Apache-2.0
"""Law 6: nothing runs outside a sandbox, nothing leaves except through egress, no credential enters."""

from pathlib import Path

import pytest

from gate import World, denial_of, text_of
from running import EDGE_SECRET, rule_of
from running import text_of as said

pytestmark = pytest.mark.anyio


def own_namespaces():
    return {str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("mnt", "pid", "net", "ipc", "uts")}


async def shell(gateway, command, **more):
    async with gateway.client() as client:
        return await client.call_tool("shell_run", {"command": command, **more})


@pytest.mark.engine
async def test_a_command_runs_in_namespaces_that_are_not_the_host_s(shell_gate):
    links = said(
        await shell(shell_gate, "for n in mnt pid net ipc uts user; do readlink /proc/self/ns/$n; done")
    )
    mine = own_namespaces()
    assert mine.isdisjoint(links.split())
    assert len(links.split()) >= 5


@pytest.mark.engine
async def test_the_sandbox_has_no_network_and_the_witness_next_door_is_out_of_reach(shell_gate):
    host = f"127.0.0.1:{shell_gate.witness.port}"
    result = await shell(
        shell_gate,
        f"ls /sys/class/net; cat /proc/net/route; wget -T 2 -q -O- http://{host}/law6/out && echo LEFT;"
        f" wget -T 2 -q -O- http://172.17.0.1:{shell_gate.witness.port}/law6/out && echo LEFT; true",
    )
    assert "LEFT" not in said(result)
    assert "eth0" not in said(result)
    assert shell_gate.witness.count("/law6/out") == 0


@pytest.mark.engine
async def test_no_credential_and_no_variable_of_the_gateway_is_in_the_sandbox(shell_gate):
    seen = said(
        await shell(
            shell_gate, "env; cat /proc/*/environ /proc/1/cmdline 2>/dev/null | tr '\\0' '\\n'; ls -la /"
        )
    )
    assert EDGE_SECRET not in seen
    assert "YETT_SECRET" not in seen
    for token in shell_gate.tokens.values():
        assert token not in seen
    assert str(shell_gate.folder) not in seen


@pytest.mark.engine
async def test_the_gate_s_own_files_are_not_in_the_sandbox(shell_gate):
    paths = [
        shell_gate.path,
        shell_gate.state / "yett.db",
        shell_gate.state / "gateway.sock",
        Path("/var/run/docker.sock"),
    ]
    for path in paths:
        assert path.exists()
    seen = said(await shell(shell_gate, "; ".join(f"ls {path} && echo THERE" for path in paths) + "; true"))
    assert "THERE" not in seen


@pytest.mark.engine
async def test_a_credential_is_put_in_at_the_edge_and_the_agent_never_sees_it(shell_gate):
    async with shell_gate.client() as client:
        reply = await shell_gate.fetch(client, "/law6/credential")
        theirs = await shell_gate.fetch(client, "/law6/own", headers={"X-Site-Key": "mine"})
    sent = dict(zip(shell_gate.witness.hits, shell_gate.witness.headers, strict=True))
    assert sent["/law6/credential"]["x-site-key"] == f"Key {EDGE_SECRET}"
    assert EDGE_SECRET not in str(reply) + str(theirs)
    if "/law6/own" in sent:
        assert "mine" not in sent["/law6/own"]["x-site-key"]


@pytest.mark.parametrize(
    "text",
    [
        "${secret:site}",
        "a ${secret:site} b",
        "$ { SECRET : site}",
        "${secret:",
        "\uff04{secret:site}",
        "$\u200b{secret:site}",
    ],
)
async def test_a_placeholder_in_an_agent_s_words_is_denied(text):
    world = World()
    for arguments in ({"text": text}, {"text": "a", text: "b"}):
        reply = await world.call(arguments=arguments)
        assert denial_of(reply)["rule"] == "gate.bad-request"
        assert "placeholder" in text_of(reply)
    assert world.tray.ran == []


async def test_a_placeholder_never_reaches_a_site_that_has_a_credential(gate):
    async with gate.client() as client:
        for arguments in ({"headers": {"X-Site-Key": "${secret:site}"}}, {"body": "${secret:site}"}):
            assert (
                rule_of(await gate.fetch(client, "/law6/placeholder", "POST", **arguments))
                == "gate.bad-request"
            )
    assert gate.witness.count("/law6/placeholder") == 0


async def test_a_host_that_is_not_on_the_list_gets_nothing(gate):
    async with gate.client() as client:
        for url in (
            f"http://localhost:{gate.witness.port}/law6",
            f"http://127.0.0.2:{gate.witness.port}/law6",
        ):
            reply = await client.call_tool("http_request", {"url": url, "method": "GET"})
            assert rule_of(reply) == "gate.egress-refused"
    assert gate.witness.count("/law6") == 0


async def test_each_hop_of_a_redirect_is_an_action_of_its_own_and_can_be_denied(gate):
    async with gate.client() as client:
        assert "seen" in said(await gate.fetch(client, "/to/law6/landed"))
        assert rule_of(await gate.fetch(client, "/to/never")) == "never"
    hops = [fields for event, fields in gate.of_call("/law6/landed") if event == "decision"]
    parents = [
        action for event, action, fields in gate.records("decision") if "/to/law6/landed" in str(fields)
    ]
    assert [hop["parent"] for hop in hops] == parents
    assert gate.witness.count("/never") == 0
