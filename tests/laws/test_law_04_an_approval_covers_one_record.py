# SPDX-License-Identifier: Apache-2.0
"""Law 4: an approval covers one record, once, under the policy of the moment of its use."""

from dataclasses import replace

import pytest

from gate import ASK, World, approval_of, denial_of, text_of
from running import RunningGateway, rule_of
from running import approval_of as approval_in
from running import text_of as said
from yett.action import ApprovalTerms, Decision, Effect, Kind, Obligation, ToolDefinition, Transport, Vote
from yett.approvals.approvals import Approvals
from yett.approvals.settings import ApprovalSettings
from yett.errors import BadRequest
from yett.testing import FrozenClock, MemoryNotify, MemoryStore, SeededEntropy, make_action

pytestmark = pytest.mark.anyio

ASKED = Decision(effect=Effect.ASK, rule="r", reason="Why.", approval=ApprovalTerms())


async def unlogged(record, previous, by):
    pass


@pytest.fixture
def approvals():
    return Approvals(
        store=MemoryStore(),
        clock=FrozenClock(),
        entropy=SeededEntropy(),
        notify=MemoryNotify(),
        settings=ApprovalSettings(),
        on_transition=unlogged,
    )


def who(action, **changes):
    return replace(action, principal=replace(action.principal, **changes))


def what(action, **changes):
    tool = action.tool
    fields = {name: getattr(tool, name) for name in ToolDefinition.__dataclass_fields__ if name != "digest"}
    return replace(action, tool=ToolDefinition(**{**fields, **changes}))


CHANGES = {
    "agent": lambda a: who(a, agent="someone-else"),
    "user": lambda a: who(a, user="someone"),
    "lineage": lambda a: who(a, lineage="ses-other"),
    "task": lambda a: who(a, task="tsk-other"),
    "kind": lambda a: replace(a, kind=Kind.RESOURCE),
    "tool": lambda a: what(a, name="mail__forward"),
    "description": lambda a: what(a, description="It was described otherwise when this was approved."),
    "schema": lambda a: what(a, input_schema={"type": "object", "maxProperties": 9}),
    "annotations": lambda a: what(a, annotations={"readOnlyHint": True}),
    "origin": lambda a: what(a, origin="another-upstream"),
    "target": lambda a: what(a, target="upstream:other"),
    "an argument": lambda a: replace(a, arguments={**a.arguments, "to": "mallory@evil.example"}),
    "one more argument": lambda a: replace(a, arguments={**a.arguments, "bcc": "mallory@evil.example"}),
    "no arguments": lambda a: replace(a, arguments={}),
}
NO_CHANGES = {
    "id": lambda a: replace(a, id="act-later"),
    "time": lambda a: replace(a, received_at=a.received_at + 60),
    "session": lambda a: who(a, session="ses-of-the-next-connection"),
    "transport": lambda a: who(a, transport=Transport.HTTP),
    "address": lambda a: who(a, source_ip="192.0.2.7"),
    "labels": lambda a: who(a, labels=frozenset({"untrusted"})),
    "order of arguments": lambda a: replace(a, arguments=dict(reversed(a.arguments.items()))),
}
DECISIONS = {
    "obligations": replace(ASKED, obligations=(Obligation(kind="mask", value="PERSON"),)),
    "number of people": replace(ASKED, approval=ApprovalTerms(need=2)),
    "named approvers": replace(ASKED, approval=ApprovalTerms(approvers=frozenset({"finance"}))),
    "not the requester": replace(ASKED, approval=ApprovalTerms(not_requester=True)),
    "a shorter time": replace(ASKED, approval=ApprovalTerms(expires=1)),
    "a denial": replace(ASKED, effect=Effect.DENY),
}


async def granted(approvals):
    record = await approvals.propose(make_action(), ASKED)
    return await approvals.vote(record.id, Vote(by="operator:root", approve=True, at=0), frozenset())


@pytest.mark.parametrize("changed", CHANGES)
async def test_an_approval_does_not_cover_a_call_that_differs_in(approvals, changed):
    record = await granted(approvals)
    other = CHANGES[changed](make_action())
    assert not await approvals.consume(record, other, ASKED)
    assert (await approvals.propose(other, ASKED)).id != record.id
    assert await approvals.consume(record, make_action(), ASKED)  # and is still there for its own


@pytest.mark.parametrize("changed", DECISIONS)
async def test_an_approval_does_not_cover_a_call_under_a_decision_that_differs_in(approvals, changed):
    record = await granted(approvals)
    assert not await approvals.consume(record, make_action(), DECISIONS[changed])


@pytest.mark.parametrize("changed", NO_CHANGES)
async def test_an_approval_still_covers_a_retry_that_differs_only_in(approvals, changed):
    record = await granted(approvals)
    assert await approvals.consume(record, NO_CHANGES[changed](make_action()), ASKED)
    assert not await approvals.consume(record, make_action(), ASKED)


DENY = {"id": "closed-now", "deny": "note", "to": "*", "when": {"args.text": "hello"}, "why": "Closed since."}


async def test_an_approval_is_worth_nothing_under_a_policy_that_denies_at_its_use():
    world = World(rules=(ASK,))
    approval = approval_of(await world.call())
    await world.approve(approval)
    world.use(decide=world.policy((ASK, DENY)))
    assert denial_of(await world.call())["rule"] == "closed-now"
    later = await world.call("approval_status", {"id": approval})
    assert later.result.is_error
    assert world.tray.ran == []


async def test_a_policy_that_denies_from_one_decision_to_the_next_stops_the_call_at_its_use():
    """The change falls between the first verdict and the spending, while a person thinks."""
    world = World(rules=(ASK,), hold=5.0)
    world.use(decide=world.policy((ASK,)))
    approval = approval_of(await world.call())
    await world.approve(approval)

    class TurnsStrict:
        def __init__(self, first, then):
            self.policies = [first, then]
            self.may_see = first.may_see

        def decide(self, action):
            return (self.policies.pop(0) if len(self.policies) > 1 else self.policies[0]).decide(action)

    world.use(decide=TurnsStrict(world.policy((ASK,)), world.policy((ASK, DENY))))
    assert denial_of(await world.call())["rule"] == "closed-now"
    assert world.tray.ran == []


async def test_an_approval_of_one_is_not_enough_once_the_policy_wants_two():
    world = World(rules=(ASK,))
    await world.approve(approval_of(await world.call()))
    stricter = {**ASK, "approval": {"need": 2, "expires": "10m"}}
    world.use(decide=world.policy((stricter,)))
    reply = await world.call()
    assert reply.result.is_error
    assert world.tray.ran == []


async def test_an_approval_expires():
    world = World(rules=(ASK,))
    approval = approval_of(await world.call())
    await world.approve(approval)
    world.clock.advance(601)
    assert approval_of(await world.call()) != approval
    assert world.tray.ran == []


async def test_an_approval_runs_once_and_the_second_call_asks_again():
    world = World(rules=(ASK,))
    approval = approval_of(await world.call())
    await world.approve(approval)
    assert text_of(await world.call()) == "kept"
    assert approval_of(await world.call()) != approval
    assert len(world.tray.ran) == 1


async def test_the_agent_s_own_client_can_not_answer_for_people_that_a_rule_names(gate):
    asked = []

    async def yes(context, params):
        asked.append(params)
        raise AssertionError("the client was asked")

    for mode in ("auto", "legacy"):
        async with gate.client(mode=mode, elicitation_callback=yes) as client:
            reply = await gate.fetch(client, f"/law4/people/{mode}", "PUT")
        assert rule_of(reply) == "asked-of-people"
        approval = approval_in(reply)
        with pytest.raises(BadRequest):  # an operator is not of finance either
            gate.ask("approvals.approve", id=approval)
        with pytest.raises(BadRequest):
            gate.ask("approvals.approve", id=approval, person="kim", token=gate.tokens["research-1"])
    assert asked == []
    assert not [hit for hit in gate.witness.hits if "/law4/people" in hit]


async def test_a_person_who_proves_who_they_are_can_answer(gate):
    token = gate.ask("people.add", name="kim")
    async with gate.client() as client:
        approval = approval_in(await gate.fetch(client, "/law4/kim", "PUT"))
        row = gate.ask("approvals.approve", id=approval, person="kim", token=token)
        assert row["votes"][0]["by"] == "person:kim"
        assert "seen" in said(await gate.fetch(client, "/law4/kim", "PUT"))


async def test_an_approval_survives_a_restart_and_a_reconnect_and_runs_once():
    with RunningGateway() as gateway:
        async with gateway.client("stdio") as client:
            approval = approval_in(await gateway.fetch(client, "/law4/restart", "POST"))
        gateway.ask("approvals.approve", id=approval)
        gateway.restart()
        async with gateway.client("http", mode="legacy", agent="research-2") as client:
            assert approval_in(await gateway.fetch(client, "/law4/restart", "POST")) != approval
        async with gateway.client("http") as client:
            assert "seen" in said(await gateway.fetch(client, "/law4/restart", "POST"))
            assert approval_in(await gateway.fetch(client, "/law4/restart", "POST")) != approval
        assert gateway.witness.count("/law4/restart") == 1
