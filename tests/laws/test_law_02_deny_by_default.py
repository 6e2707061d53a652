# SPDX-License-Identifier: Apache-2.0
"""Law 2: deny by default; deny is stronger than ask, ask is stronger than allow."""

import itertools

import pytest

from gate import ALLOW, ASK, World, approval_of, denial_of, text_of
from running import rule_of

pytestmark = pytest.mark.anyio

DENY = {"id": "deny-note", "deny": "note", "to": "*", "why": "Never."}
ALLOW_SOME = {**ALLOW, "when": {"args.text": {"eq": "hello"}}}


@pytest.mark.parametrize("order", list(itertools.permutations((ALLOW, ASK, DENY))))
async def test_one_deny_outweighs_everything_in_whatever_order_the_rules_stand(order):
    world = World(rules=order)
    assert (await world.call()).result.is_error
    assert world.tray.ran == []
    assert await world.approvals.all() == ()  # nobody is even asked


@pytest.mark.parametrize("order", list(itertools.permutations((ALLOW, ASK))))
async def test_one_ask_outweighs_any_allow_in_whatever_order_the_rules_stand(order):
    world = World(rules=order)
    assert approval_of(await world.call())
    assert world.tray.ran == []


async def test_nothing_written_is_nothing_allowed(gate):
    async with gate.client(agent="stranger") as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["approval_status"]
        denied = await gate.fetch(client, "/law2/stranger")
    assert rule_of(denied) == "gate.unknown-tool"
    assert gate.witness.count("/law2/stranger") == 0


async def test_a_call_that_no_rule_matches_is_denied_although_the_tool_is_the_agent_s(gate):
    async with gate.client() as client:
        assert rule_of(await gate.fetch(client, "/law2/other", "DELETE")) == "gate.no-match"
    assert gate.witness.count("/law2/other") == 0


async def test_a_tool_that_is_not_there_is_denied(gate):
    async with gate.client() as client:
        assert rule_of(await client.call_tool("no_such_tool", {})) == "gate.unknown-tool"


async def test_a_condition_that_can_not_be_read_allows_nothing():
    world = World(rules=({**ALLOW, "when": {"args.path": {"under": "/workspace"}}},))
    for arguments in ({"text": "a"}, {"text": "a", "path": "/workspace/\x00"}):
        assert (await world.call(arguments=arguments)).result.is_error
    assert world.tray.ran == []


async def test_a_condition_that_can_not_be_read_still_denies():
    world = World(rules=(ALLOW, {**DENY, "when": {"args.path": {"under": "/secret"}}}))
    assert denial_of(await world.call())["rule"] == "deny-note"
    assert world.tray.ran == []


@pytest.mark.parametrize("room", ["decide", "redact", "vault", "catalog", "approve", "identify"])
async def test_a_room_that_raises_what_it_must_not_is_a_denial(room):
    class Broken:
        def __getattr__(self, name):
            raise ZeroDivisionError(name)

    world = World(rules=(ASK,))
    world.use(**{room: Broken()})
    reply = await world.call()
    assert denial_of(reply)["rule"] == "gate.internal-error"
    assert "ZeroDivision" not in text_of(reply)
    assert world.tray.ran == []
