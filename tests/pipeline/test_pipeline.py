# SPDX-License-Identifier: Apache-2.0
"""The eight steps: what runs, what does not, and what the log says, in order."""

import anyio
import pytest

from gate import ALLOW, ASK, Tray, World, approval_of, denial_of, text_of
from yett.action import FindingAction, Secret, ToolResult
from yett.errors import ExecutionError, ExecutionTimeout
from yett.privacy.settings import PrivacySettings
from yett.testing import ScriptedDialogue

pytestmark = pytest.mark.anyio


async def test_an_allowed_call_runs_once_and_leaves_decision_intent_and_outcome():
    world = World()
    reply = await world.call()
    assert text_of(reply) == "kept"
    assert world.tray.ran == [{"text": "hello"}]
    assert world.events() == ["decision", "intent", "outcome"]
    assert {record.action for record in world.audit.records} == {reply.action}


async def test_a_call_without_a_matching_rule_does_not_run():
    world = World(rules=())
    reply = await world.call()
    assert denial_of(reply)["rule"] in {"gate.no-match", "gate.unknown-tool"}
    assert world.tray.ran == []


async def test_a_denial_names_rule_reason_and_next_step_and_is_recorded():
    deny = {"id": "never", "deny": "note", "to": "*", "when": {"args.text": "hello"}, "why": "Not this."}
    world = World(rules=(ALLOW, deny))
    reply = await world.call()
    assert reply.result.is_error
    found = denial_of(reply)
    assert (found["rule"], found["reason"]) == ("never", "Not this.")
    assert found["next_step"]
    assert "Denied by rule never: Not this." in text_of(reply)
    assert world.events() == ["decision"]
    assert world.tray.ran == []


async def test_no_identity_is_a_refusal_and_nothing_runs():
    world = World()
    for agent in (None, "nobody"):
        reply = await world.call(agent=agent)
        assert denial_of(reply)["rule"] == "gate.unauthenticated"
    assert world.events() == ["refusal", "refusal"]
    assert world.tray.ran == []


async def test_an_unknown_tool_and_one_that_is_not_for_the_caller_look_the_same():
    world = World(rules=({"id": "other", "allow": "note", "to": "research-2"},))
    missing = await world.call("no_such_tool")
    hidden = await world.call("note")
    assert denial_of(missing)["rule"] == denial_of(hidden)["rule"] == "gate.unknown-tool"
    assert text_of(missing).replace("no_such_tool", "note") == text_of(hidden)


async def test_arguments_that_do_not_fit_the_schema_are_refused_before_policy_sees_them():
    world = World()
    for arguments in ({}, {"text": 5}, {"text": "a", "more": 1}):
        assert denial_of(await world.call(arguments=arguments))["rule"] == "gate.bad-request"
    assert world.tray.ran == []


async def test_what_was_masked_is_what_runs_and_policy_decides_on_that_too():
    world = World()
    await world.call(arguments={"text": "card 4111 1111 1111 1111"})
    assert world.tray.ran == [{"text": "card [CREDIT_CARD]"}]
    decision = world.audit.records[0].fields
    assert "4111" not in str(decision)
    assert decision["findings"][0]["entity"] == "CREDIT_CARD"


async def test_a_rule_that_denies_the_masked_form_denies_the_call():
    deny = {"id": "no-cards", "deny": "note", "to": "*", "when": {"args.text": {"eq": "card [CREDIT_CARD]"}}}
    world = World(rules=(ALLOW, deny))
    reply = await world.call(arguments={"text": "card 4111 1111 1111 1111"})
    assert denial_of(reply)["rule"] == "no-cards"
    assert world.tray.ran == []


async def test_an_allow_that_fits_only_before_masking_does_not_open_the_call():
    only = {**ALLOW, "when": {"args.text": {"eq": "card 4111 1111 1111 1111"}}}
    world = World(rules=(only,))
    reply = await world.call(arguments={"text": "card 4111 1111 1111 1111"})
    assert reply.result.is_error
    assert world.tray.ran == []


async def test_a_blocked_entity_blocks_the_call_and_the_denial_does_not_repeat_it():
    world = World()
    key = "AKIA" + "QX3VTM7RJZ2WNB5D"
    reply = await world.call(arguments={"text": f"key {key}"})
    assert denial_of(reply)["rule"] == "gate.privacy-blocked"
    assert world.tray.ran == []
    assert key not in str(reply)
    assert key not in str(world.audit.records)


async def test_a_secret_in_a_result_is_masked_in_every_channel():
    world = World()
    key = "AKIA" + "QX3VTM7RJZ2WNB5D"
    world.tray.result = ToolResult(
        content=({"type": "text", "text": key},),
        structured={"a": [key]},
        meta={"x": {"y": key}},
        is_error=True,
    )
    reply = await world.call()
    assert key not in str(reply)
    assert "[SECRET]" in str(reply.result.content)
    assert "[SECRET]" in str(reply.result.structured)
    assert world.audit.records[-1].fields["findings"]


@pytest.mark.parametrize(
    ("fault", "status", "rule"),
    [
        (ExecutionError("It broke."), "failed", "gate.execution-failed"),
        (ExecutionTimeout("Too slow."), "timeout", "gate.timeout"),
        (ZeroDivisionError("internal detail"), "failed", "gate.internal-error"),
    ],
)
async def test_a_failing_tool_is_an_error_result_and_an_outcome(fault, status, rule):
    world = World()
    world.tray.fault = fault
    reply = await world.call()
    assert denial_of(reply)["rule"] == rule
    assert "internal detail" not in str(reply)
    assert world.audit.records[-1].event == "outcome"
    assert world.audit.records[-1].fields["status"] == status


async def test_a_tool_that_never_ends_is_stopped_at_its_deadline():
    world = World(tray=Tray(timeout=0.05))
    world.tray.wait = anyio.Event()
    reply = await world.call()
    assert denial_of(reply)["rule"] == "gate.timeout"
    assert world.tray.ended
    assert world.audit.records[-1].fields["status"] == "timeout"


async def test_a_caller_that_goes_away_stops_the_tool_and_the_record_says_so():
    world = World()
    world.tray.wait = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.call)
        await world.tray.started.wait()
        tasks.cancel_scope.cancel()
    assert world.tray.ended
    assert world.audit.records[-1].event == "outcome"
    assert world.audit.records[-1].fields["status"] == "cancelled"


async def test_a_room_that_breaks_before_anything_ran_denies():
    class Broken:
        def decide(self, action):
            raise KeyError("surprise")

        def may_see(self, principal, tool):
            return True

    world = World()
    world.use(decide=Broken())
    reply = await world.call()
    assert denial_of(reply)["rule"] == "gate.internal-error"
    assert world.tray.ran == []
    assert world.events() == ["refusal"]


async def test_a_question_for_a_client_without_elicitation_is_pending_then_runs_on_retry():
    world = World(rules=(ASK,))
    waiting = await world.call()
    assert waiting.result.is_error
    approval = approval_of(waiting)
    assert approval in text_of(waiting)
    assert world.tray.ran == []
    assert [r.id for r in world.notify.pending] == [approval]
    await world.approve(approval)
    done = await world.call()
    assert text_of(done) == "kept"
    assert world.tray.ran == [{"text": "hello"}]
    again = await world.call()
    assert approval_of(again) != approval
    assert len(world.tray.ran) == 1


async def test_an_answer_during_the_hold_lets_the_same_call_go_on():
    world = World(rules=(ASK,), hold=5.0)
    replies = []

    async def ask():
        replies.append(await world.call())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await world.approve(await world.asked())
    assert text_of(replies[0]) == "kept"


async def test_a_denied_question_is_a_denial_with_the_persons_reason():
    world = World(rules=(ASK,))
    approval = approval_of(await world.call())
    await world.approve(approval, yes=False)
    assert denial_of(await world.call())["rule"] == "gate.not-approved"
    assert world.tray.ran == []


async def test_approval_status_tells_and_then_runs_the_recorded_call_once():
    world = World(rules=(ASK,))
    approval = approval_of(await world.call(arguments={"text": "card 4111 1111 1111 1111"}))
    assert "pending" in text_of(await world.call("approval_status", {"id": approval}))
    await world.approve(approval)
    assert text_of(await world.call("approval_status", {"id": approval})) == "kept"
    assert world.tray.ran == [{"text": "card [CREDIT_CARD]"}]
    once_more = await world.call("approval_status", {"id": approval})
    assert once_more.result.is_error
    assert len(world.tray.ran) == 1


async def test_another_agent_learns_nothing_of_an_approval_and_can_not_run_it():
    world = World(rules=(ASK,))
    approval = approval_of(await world.call())
    await world.approve(approval)
    stranger = await world.call("approval_status", {"id": approval}, agent="research-2")
    assert "You have no approval" in text_of(stranger)
    assert world.tray.ran == []


async def test_a_live_dialogue_answers_in_the_same_call():
    world = World(rules=(ASK,))
    yes = ScriptedDialogue([True])
    assert text_of(await world.call(dialogue=yes, elicit=True)) == "kept"
    assert "hello" in yes.questions[0].message
    no = ScriptedDialogue([False])
    reply = await world.call(arguments={"text": "other"}, dialogue=no, elicit=True)
    assert denial_of(reply)["rule"] == "gate.not-approved"


async def test_a_client_that_answers_nothing_leaves_the_question_to_people():
    world = World(rules=(ASK,))
    reply = await world.call(dialogue=ScriptedDialogue([None]), elicit=True)
    await world.approve(approval_of(reply))
    assert text_of(await world.call()) == "kept"


async def test_a_person_who_answers_first_ends_the_dialogue():
    world = World(rules=(ASK,), hold=5.0)

    class Silent:
        async def ask(self, question):
            await anyio.sleep_forever()

    replies = []

    async def ask():
        replies.append(await world.call(dialogue=Silent(), elicit=True))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await world.approve(await world.asked())
    assert text_of(replies[0]) == "kept"


async def test_a_rule_that_names_people_is_never_put_to_the_agents_client():
    world = World(rules=({**ASK, "approval": {"approvers": ["finance"]}},))
    dialogue = ScriptedDialogue([True])
    reply = await world.call(dialogue=dialogue, elicit=True)
    assert approval_of(reply)
    assert dialogue.questions == []


async def test_a_result_labels_its_session_before_it_is_released():
    world = World()
    world.door.fail_labels = ExecutionError("the store is gone")
    reply = await world.call()
    assert reply.result.is_error
    assert "kept" not in text_of(reply)
    world.door.fail_labels = None
    await world.call()
    assert world.door.label_writes == [("ses-research-1", frozenset({"untrusted"}))]
    await world.call()
    assert len(world.door.label_writes) == 1


async def test_a_mask_that_breaks_the_schema_denies_instead_of_sending_something_else():
    tray = Tray()
    tray.definition.input_schema["properties"]["text"] = {"type": "string", "pattern": "^[0-9 ]+$"}
    world = World(
        tray=tray, privacy=PrivacySettings(key=Secret("k" * 32), outbound={"CREDIT_CARD": FindingAction.MASK})
    )
    try:
        reply = await world.call(arguments={"text": "4111 1111 1111 1111"})
    finally:
        tray.definition.input_schema["properties"]["text"] = {"type": "string"}
    assert denial_of(reply)["rule"] == "gate.masked-arguments"
    assert world.tray.ran == []
