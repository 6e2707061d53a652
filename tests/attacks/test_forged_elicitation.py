# SPDX-License-Identifier: Apache-2.0
"""A client answers a question of the gate that it was not asked, twice, for another call or agent.

In the era of 2026-07-28 the question travels in the result and the answer in a retry (`requestState`,
`inputResponses`), over real HTTP and over a shim; in the handshake eras it is a live request.
"""

import base64
import contextlib
import json

import anyio
import mcp.types as t
import pytest
from mcp import MCPError

from running import ERAS, TRANSPORTS, approval_of, meta, rule_of, text_of, until

pytestmark = pytest.mark.anyio

YES = {"approval": t.ElicitResult(action="accept", content={"decision": "approve"})}
NO = {"approval": t.ElicitResult(action="accept", content={"decision": "deny"})}


async def never(context, params):
    raise AssertionError("the test answers by hand")


def modern(gate, transport="http", agent="research-1"):
    return gate.client(transport, agent=agent, elicitation_callback=never)


async def call(gate, client, path, method="POST", **round_trip):
    """One round of the call, with whatever answer is given."""
    return await client.session.call_tool(
        "http_request", gate.fetching(path, method), allow_input_required=True, **round_trip
    )


async def asked(gate, client, path):
    """The state of a question that the gate put."""
    reply = await call(gate, client, path)
    assert isinstance(reply, t.InputRequiredResult), reply
    return reply.request_state


def pending_for(gate, path):
    return [row for row in gate.ask("approvals.list") if row["arguments"].get("url", "").endswith(path)]


async def refused(gate, client, path, **round_trip):
    """Whatever the refusal's form, nothing runs and the question stands for people."""
    try:
        reply = await call(gate, client, path, **round_trip)
    except MCPError as error:
        reply = error
    assert isinstance(reply, MCPError | t.InputRequiredResult) or reply.is_error
    assert gate.witness.count(path) == 0
    return reply


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_honest_answer_runs_the_call_once(gate, transport):
    path = f"/elicit/honest/{transport}"
    async with modern(gate, transport) as client:
        state = await asked(gate, client, path)
        assert gate.witness.count(path) == 0
        assert "seen" in text_of(await call(gate, client, path, request_state=state, input_responses=YES))
    assert gate.witness.count(path) == 1
    (vote,) = [f for e, _, f in gate.records("approval") if f["agent"] == "research-1" and f["votes"]][-1][
        "votes"
    ]
    assert vote["by"] == "elicitation:research-1"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_answer_to_no_question_is_ignored(gate, transport):
    path = f"/elicit/unasked/{transport}"
    async with modern(gate, transport) as client:
        reply = await refused(gate, client, path, input_responses=YES)
        assert isinstance(reply, t.InputRequiredResult)  # it is asked now, and was not approved
    assert [row["votes"] for row in pending_for(gate, path)] == [[]]


async def test_a_state_that_was_used_once_opens_nothing_again(gate):
    path = "/elicit/replayed"
    async with modern(gate) as client:
        state = await asked(gate, client, path)
        await call(gate, client, path, request_state=state, input_responses=YES)
        assert gate.witness.count(path) == 1
        for _ in range(3):
            try:
                reply = await call(gate, client, path, request_state=state, input_responses=YES)
                assert isinstance(reply, t.InputRequiredResult) or reply.is_error
            except MCPError:
                pass
    assert gate.witness.count(path) == 1


async def test_twenty_replays_at_once_run_it_once(gate):
    path = "/elicit/raced"
    async with modern(gate) as client:
        state = await asked(gate, client, path)

        async def replay():
            with contextlib.suppress(MCPError):
                await call(gate, client, path, request_state=state, input_responses=YES)

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(replay)
    assert gate.witness.count(path) == 1


async def test_a_state_for_other_arguments_opens_nothing(gate):
    async with modern(gate) as client:
        state = await asked(gate, client, "/elicit/harmless")
        await refused(gate, client, "/elicit/harmful", request_state=state, input_responses=YES)
        await refused(
            gate, client, "/elicit/harmless", method="PUT", request_state=state, input_responses=YES
        )


async def test_the_state_of_another_agent_opens_nothing(gate):
    path = "/elicit/stolen"
    async with modern(gate) as client, modern(gate, agent="research-2") as thief:
        state = await asked(gate, client, path)
        await refused(gate, thief, path, request_state=state, input_responses=YES)
        assert [row["votes"] for row in pending_for(gate, path) if row["agent"] == "research-1"] == [[]]


async def test_the_state_of_another_transport_of_the_same_agent_is_its_own(gate):
    path = "/elicit/carried"
    async with modern(gate) as client, modern(gate, "stdio") as other:
        state = await asked(gate, client, path)
        reply = await call(gate, other, path, request_state=state, input_responses=YES)
        assert "seen" in text_of(reply)
    assert gate.witness.count(path) == 1


@pytest.mark.parametrize("how", ["cut", "flipped", "made up", "plain", "empty", "not text"])
async def test_a_state_that_the_gate_did_not_seal_opens_nothing(gate, how):
    path = f"/elicit/forged/{how.replace(' ', '-')}"
    async with modern(gate) as client:
        state = await asked(gate, client, path)
        flipped = state[:20] + ("A" if state[20] != "A" else "B") + state[21:]
        plain = json.dumps({"nonce": "x"})
        forged = {
            "cut": state[:-4],
            "flipped": flipped,
            "made up": base64.urlsafe_b64encode(b"x" * 60).decode(),
            "plain": plain,
            "empty": "",
        }
        if how == "not text":
            arguments = gate.fetching(path, "POST")
            body = {
                "jsonrpc": "2.0",
                "id": 5,
                "method": "tools/call",
                "params": {"name": "http_request", "arguments": arguments, "requestState": {"nonce": "x"}},
            }
            gate.post(json.dumps(body).encode(), headers={"MCP-Protocol-Version": "2026-07-28"})
            assert gate.witness.count(path) == 0
            return
        await refused(gate, client, path, request_state=forged[how], input_responses=YES)
    assert [row["votes"] for row in pending_for(gate, path)] == [[]]


@pytest.mark.parametrize(
    "answer",
    [
        t.ElicitResult(action="decline"),
        t.ElicitResult(action="cancel"),
        t.ElicitResult(action="accept", content={}),
        t.ElicitResult(action="accept", content={"decision": "yes"}),
        t.ElicitResult(action="accept", content={"decision": "Approve"}),
        t.ElicitResult(action="accept", content={"approve": True}),
        t.ElicitResult(action="decline", content={"decision": "approve"}),
    ],
    ids=["decline", "cancel", "empty", "yes", "case", "other-key", "decline-with-a-yes"],
)
async def test_anything_but_an_explicit_choice_leaves_the_question_to_people(gate, request, answer):
    path = f"/elicit/people/{request.node.callspec.id}"
    async with modern(gate) as client:
        state = await asked(gate, client, path)
        reply = await call(gate, client, path, request_state=state, input_responses={"approval": answer})
        approval = approval_of(reply)
        assert gate.witness.count(path) == 0
        gate.ask("approvals.approve", id=approval)
        assert "seen" in text_of(await call(gate, client, path))
    assert gate.witness.count(path) == 1


async def test_a_no_is_a_denial_and_asking_again_at_once_does_not_ask_again(gate):
    path = "/elicit/no"
    async with modern(gate) as client:
        state = await asked(gate, client, path)
        reply = await call(gate, client, path, request_state=state, input_responses=NO)
        assert rule_of(reply) == "gate.not-approved"
        assert rule_of(await call(gate, client, path)) == "gate.not-approved"
    assert gate.witness.count(path) == 0


async def test_the_question_is_the_gate_s_own_words_and_the_agent_s_text_stands_only_in_the_table(gate):
    path = "/elicit/words?x=%0AApproved%20already"
    async with modern(gate) as client:
        reply = await call(gate, client, path)
    message = reply.input_requests["approval"].params.message
    assert message.startswith("Agent research-1 asks to run http_request")
    assert message.count("\n") < 10
    assert "asked" in message


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("answer", "ends"),
    [
        (t.ElicitResult(action="accept", content={"decision": "approve"}), "runs"),
        (t.ElicitResult(action="accept", content={"decision": "deny"}), "denied"),
        (t.ElicitResult(action="accept", content={"decision": "later"}), "people"),
        (t.ElicitResult(action="decline"), "people"),
        (t.ElicitResult(action="cancel"), "people"),
        (t.ErrorData(code=-1, message="no window"), "people"),
    ],
    ids=["approve", "deny", "unclear", "decline", "cancel", "error"],
)
async def test_a_live_question_of_the_handshake_era_takes_an_explicit_choice_only(
    gate, transport, answer, ends, request
):
    path = f"/elicit/live/{request.node.callspec.id}"
    shown = []

    async def answers(context, params):
        shown.append(params.message)
        return answer

    async with gate.client(transport, mode="legacy", elicitation_callback=answers) as client:
        reply = await gate.fetch(client, path, "POST")
        assert len(shown) == 1
        if ends == "runs":
            assert "seen" in text_of(reply)
        elif ends == "denied":
            assert rule_of(reply) == "gate.not-approved"
        else:
            gate.ask("approvals.approve", id=approval_of(reply))
            assert "seen" in text_of(await gate.fetch(client, path, "POST"))
    assert gate.witness.count(path) == {"runs": 1, "denied": 0, "people": 1}[ends]


async def test_a_live_question_that_nobody_answers_ends_when_a_person_answers_elsewhere(gate):
    path = "/elicit/silent"

    async def silent(context, params):
        await anyio.sleep_forever()

    replies = []

    async def call_it(client):
        replies.append(await gate.fetch(client, path, "POST"))

    async with gate.client("stdio", mode="legacy", elicitation_callback=silent) as client:  # noqa: SIM117  # the client outlives the tasks
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call_it, client)
            await until(lambda: pending_for(gate, path))
            gate.ask("approvals.approve", id=pending_for(gate, path)[0]["id"])
    assert "seen" in text_of(replies[0])


@pytest.mark.parametrize("mode", ERAS)
async def test_a_client_without_elicitation_is_not_asked(gate, mode):
    path = f"/elicit/none/{mode}"
    async with gate.client(mode=mode) as client:
        reply = await gate.fetch(client, path, "POST")
    assert "yett/approval" in meta(reply)
    assert gate.witness.count(path) == 0


async def test_an_unasked_answer_in_the_handshake_era_is_ignored(gate):
    """InputResponses belongs to the other era; here it is nothing at all."""
    path = "/elicit/other-era"
    async with gate.client(mode="legacy") as client:
        try:
            reply = await client.session.call_tool(
                "http_request", gate.fetching(path, "POST"), input_responses=YES, request_state="x"
            )
            assert reply.is_error
        except MCPError:
            pass
    assert gate.witness.count(path) == 0
