# SPDX-License-Identifier: Apache-2.0
"""Law 7: an agent can't reach the gate's files, and no edit of the file opens anything by itself."""

import pytest

from running import RULES, RunningGateway, by, rule_of, text_of, until
from yett.app import open_app
from yett.config.load import load
from yett.errors import ConfigurationError

pytestmark = pytest.mark.anyio

OPEN = {"id": "opened", "allow": "http_request", "to": "writer", "when": by("DELETE")}
CLOSED = {
    "id": "closed",
    "deny": "http_request",
    "to": "*",
    "when": {"http.path": {"match": ["/law7/closed/**"]}},
    "why": "No.",
}


@pytest.fixture(scope="module")
def own():
    """A gateway whose file is edited. Each test puts it back as it was."""
    with RunningGateway() as gateway:
        yield gateway


@pytest.fixture
def edited(own):
    first = dict(own.sections)
    yield own
    own.write(**first)
    if not own.listens():
        own.start()
    own.ask("policy.apply")


async def taken(gateway, count=1):
    """Write a file with `edit`, and wait until the gateway has read it."""
    await until(lambda: len(held(gateway)) >= count)


def held(gateway):
    words = ("configuration held", "configuration unchanged", "configuration refused")
    return [f["what"] for _, _, f in gateway.records("system") if str(f.get("what")).startswith(words)]


async def edit(gateway, **sections):
    before = len(held(gateway))
    gateway.write(**sections)
    await taken(gateway, before + 1)
    return held(gateway)[-1]


async def called(gateway, path, method="GET", agent="research-1"):
    async with gateway.client(agent=agent) as client:
        return await gateway.fetch(client, path, method)


async def test_an_edit_that_allows_more_opens_nothing_until_an_operator_applies_it(edited):
    assert "held" in await edit(edited, rules=[*RULES, OPEN])
    assert rule_of(await called(edited, "/law7/opened", "DELETE")) == "gate.no-match"
    edited.restart()
    assert rule_of(await called(edited, "/law7/opened", "DELETE")) == "gate.no-match"
    edited.ask("policy.apply")
    assert edited.witness.count("/law7/opened") == 0
    assert "seen" in text_of(await called(edited, "/law7/opened", "DELETE"))


async def test_an_edit_that_allows_less_binds_at_once_and_still_after_a_restart(edited):
    assert "seen" in text_of(await called(edited, "/law7/closed/a"))
    assert "held" in await edit(edited, rules=[*RULES, CLOSED])
    assert rule_of(await called(edited, "/law7/closed/b")) == "closed"
    edited.restart()
    assert rule_of(await called(edited, "/law7/closed/c")) == "closed"
    assert [hit for hit in edited.witness.hits if hit.startswith("/law7/closed")] == ["/law7/closed/a"]


async def test_one_edit_that_opens_and_closes_only_closes(edited):
    await edit(edited, rules=[*RULES, OPEN, CLOSED])
    assert rule_of(await called(edited, "/law7/both", "DELETE")) == "gate.no-match"
    assert rule_of(await called(edited, "/law7/closed/both")) == "closed"


async def test_an_ask_that_became_an_allow_still_asks(edited):
    rules = [{**rule, "allow": rule["ask"]} if rule["id"] == "asked" else rule for rule in RULES]
    for rule in rules:
        if rule["id"] == "asked":
            del rule["ask"], rule["approval"]
    await edit(edited, rules=rules)
    assert rule_of(await called(edited, "/law7/asked", "POST")) == "asked"


async def test_an_agent_that_left_the_file_is_out_at_once_and_a_new_role_waits(edited):
    agents = {"research-1": {"roles": ["writer"]}, "stranger": {"roles": ["writer"]}}
    await edit(edited, agents=agents)
    status, _, _ = edited.post(b"{}", agent="research-2")
    assert status == 401
    assert rule_of(await called(edited, "/law7/stranger", agent="stranger")) == "gate.unknown-tool"
    assert edited.witness.count("/law7/stranger") == 0


async def test_a_host_that_is_new_in_the_file_is_not_reached(edited):
    allow = [
        *edited.sections["egress"]["allow"],
        {"host": "localhost", "private": True, "ports": [edited.witness.port]},
    ]
    await edit(edited, egress={"allow": allow})
    async with edited.client() as client:
        url = f"http://localhost:{edited.witness.port}/law7/new-host"
        assert (
            rule_of(await client.call_tool("http_request", {"url": url, "method": "GET"}))
            == "gate.egress-refused"
        )


async def test_a_host_that_left_the_file_is_out_at_once(edited):
    await edit(edited, egress={"allow": []})
    assert rule_of(await called(edited, "/law7/host-left")) == "gate.egress-refused"
    assert edited.witness.count("/law7/host-left") == 0


async def test_privacy_that_became_weaker_stays_as_strict_as_applied(edited):
    await edit(edited, privacy={"default": {"outbound": {"CREDIT_CARD": "allow"}}})
    async with edited.client() as client:
        await edited.fetch(client, "/law7/card?n=4111111111111111")
    assert not [hit for hit in edited.witness.hits if "4111111111111111" in hit]


async def test_a_file_that_can_not_be_used_changes_nothing(edited):
    assert "refused" in await edit(edited, rules=[*RULES, {"id": "x", "deny": "no_such_tool", "to": "*"}])
    assert "seen" in text_of(await called(edited, "/law7/still"))
    edited.path.write_text("version: [", encoding="utf-8")
    await until(lambda: held(edited)[-2:] == ["configuration refused"] * 2)
    assert "seen" in text_of(await called(edited, "/law7/still2"))


async def test_a_workspace_that_holds_the_configuration_or_the_state_fails_the_start():
    with RunningGateway(start=False) as gateway:
        for workspace in (gateway.folder, gateway.path.parent, gateway.state, gateway.state / "audit", "/"):
            gateway.write(tools={"shell": {"workspace": str(workspace)}})
            with pytest.raises(ConfigurationError, match="overlap"):
                async with open_app(load(gateway.path)):
                    pass


async def test_nothing_but_the_operator_s_line_reaches_a_verb(gate):
    """No method, tool or path of the agents' transports leads to administration."""
    for verb in ("policy.apply", "approvals.approve", "agents.add", "stop"):
        call = b'{"jsonrpc":"2.0","id":1,"method":"%s","params":{}}' % verb.encode()
        status, _, body = gate.post(call)
        assert status >= 400 or b"error" in body
        assert gate.post(b"{}", path=f"/{verb}")[0] == 404
    async with gate.client() as client:
        for verb in ("policy.apply", "approvals.approve"):
            assert rule_of(await client.call_tool(verb, {})) == "gate.unknown-tool"
    assert gate.listens()


def test_the_state_and_its_sockets_are_for_one_user_alone(gate):
    assert gate.state.stat().st_mode & 0o077 == 0
    for path in gate.state.rglob("*"):
        if path.name != "gateway.log":
            assert path.stat().st_mode & 0o077 == 0 or not path.is_socket(), path
    for name in ("gateway.sock", "control.sock", "request-state.key", "fingerprint.key", "applied.yaml"):
        assert (gate.state / name).stat().st_mode & 0o077 == 0, name
