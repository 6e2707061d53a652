# SPDX-License-Identifier: Apache-2.0
"""Law 9: a denial is a normal result with isError, the rule id, a reason and the next step."""

import pytest

from gate import ASK, World, approval_of, denial_of, text_of
from running import ERAS, TRANSPORTS, meta, rule_of
from running import text_of as said
from yett.action import Vote

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_every_sort_of_denial_is_a_result_that_helps(gate, transport, mode):
    place = f"/law9/{transport}/{mode}"
    async with gate.client(transport, mode=mode) as client:
        denials = {
            "never": await gate.fetch(client, "/never"),
            "gate.no-match": await gate.fetch(client, place, "DELETE"),
            "gate.unknown-tool": await client.call_tool("no_such_tool", {}),
            "gate.bad-request": await client.call_tool("http_request", {"no_url": 1}),
            "gate.privacy-blocked": await gate.fetch(
                client, place, headers={"X": "AKIA" + "QX3VTM7RJZ2WNB5D"}
            ),
            "asked": await gate.fetch(client, place, "POST"),
            "gate.egress-refused": await client.call_tool(
                "http_request", {"url": "http://127.0.0.1:9/", "method": "GET"}
            ),
        }
        assert "seen" in said(await gate.fetch(client, place))  # and the connection goes on
    for rule, reply in denials.items():
        assert rule_of(reply) == rule
        found = meta(reply)["yett/denial"]
        assert found["reason"]
        assert found["action"].startswith("act-")
        assert rule in said(reply)
        if rule != "gate.egress-refused":
            assert found["next_step"]
            assert "Next step:" in said(reply)


@pytest.mark.parametrize("mode", ERAS)
async def test_the_words_of_a_denial_are_the_same_on_every_transport(gate, mode):
    words = []
    for transport in TRANSPORTS:
        async with gate.client(transport, mode=mode) as client:
            words.append(said(await gate.fetch(client, "/never")))
    assert words[0] == words[1]
    assert "That place is closed." in words[0]


async def test_what_broke_inside_is_not_in_the_words():
    world = World()
    world.tray.fault = ZeroDivisionError("/srv/secret/path")
    reply = await world.call()
    assert denial_of(reply)["rule"] == "gate.internal-error"
    assert "/srv" not in str(reply)


async def test_a_pending_answer_says_how_to_go_on():
    world = World(rules=(ASK,))
    reply = await world.call()
    approval = approval_of(reply)
    assert "nothing has run" in text_of(reply)
    assert approval in denial_of(reply)["next_step"]


async def test_a_person_s_reason_reaches_the_agent():
    world = World(rules=(ASK,))
    approval = approval_of(await world.call())
    vote = Vote(by="operator:root", approve=False, at=world.clock.now(), reason="Ask me on Monday.")
    await world.approvals.vote(approval, vote, frozenset())
    assert "Ask me on Monday." in text_of(await world.call())
