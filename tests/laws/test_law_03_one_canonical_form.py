# SPDX-License-Identifier: Apache-2.0
"""Law 3: what was decided on is what is shown is what runs."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate import ALLOW, ASK, World, approval_of
from running import approval_of as approval_in
from yett.action import canonical_json, digest_of
from yett.approvals.render import render
from yett.approvals.settings import ApprovalSettings
from yett.errors import BadRequest
from yett.server.strict_json import parse_strict

pytestmark = pytest.mark.anyio

CARD = {"text": "card 4111 1111 1111 1111"}


async def test_the_digest_in_the_log_is_that_of_what_the_tool_received_not_of_what_was_written():
    world = World()
    await world.call(arguments=CARD)
    decision, intent, _ = world.audit.records
    assert world.tray.ran != [CARD]
    assert decision.fields["arguments_digest"] == digest_of(world.tray.ran[0]) != digest_of(CARD)
    assert intent.fields["arguments_digest"] == digest_of(world.tray.ran[0])


async def test_the_value_that_a_rule_reads_is_the_value_that_is_sent():
    world = World(rules=({**ALLOW, "when": {"args.text": {"eq": "card [CREDIT_CARD]"}}},))
    assert (await world.call(arguments=CARD)).result.is_error  # it never was what the rule allows
    assert world.tray.ran == []


async def test_what_a_person_is_shown_is_what_runs():
    world = World(rules=(ASK,))
    approval = approval_of(await world.call(arguments=CARD))
    record = await world.approvals.get(approval)
    shown = render(record, ApprovalSettings())
    assert "4111" not in shown
    await world.approve(approval)
    await world.call(arguments=CARD)
    assert world.tray.ran == [record.arguments]
    assert record.arguments["text"] in shown


async def test_a_changed_argument_after_the_decision_does_not_reach_the_tool():
    """The arguments that a caller keeps a reference to are not those that run."""
    world = World(rules=(ASK,))
    mine = {"text": "harmless"}
    approval = approval_of(await world.call(arguments=mine))
    mine["text"] = "harmful"
    record = await world.approvals.get(approval)
    assert record.arguments == {"text": "harmless"}
    await world.approve(approval)
    assert approval_of(await world.call(arguments=mine)) != approval
    assert world.tray.ran == []


def test_a_message_that_two_parsers_could_read_differently_is_no_message(gate):
    url = gate.witness.url("/law3/twice")
    call = (
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"http_request",'
        f'"arguments":{{"method":"GET","url":"{url}","method":"DELETE"}}}}}}'
    )
    status, _, body = gate.post(call.encode())
    assert status == 400
    assert b"stands twice" in body
    assert gate.witness.count("/law3/twice") == 0


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
        max_leaves=12,
    )
)
def test_the_canonical_form_survives_every_reading(value):
    try:
        form = canonical_json(value)
    except UnicodeEncodeError:
        return  # a lone surrogate has no form, and is refused when read
    assert canonical_json(parse_strict(form)) == form
    assert canonical_json(json.loads(json.dumps(value, indent=3))) == form


@pytest.mark.parametrize(
    "text", [b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":1e999}', b'"\\ud800"', b"\xef\xbb\xbf{}"]
)
def test_text_without_one_meaning_is_refused(text):
    with pytest.raises(BadRequest):
        parse_strict(text)


async def test_the_log_of_the_running_gate_holds_the_digest_of_what_arrived(gate):
    async with gate.client() as client:
        await gate.fetch(client, "/law3/digest", headers={"X-A": "b"})
    sent = gate.fetching("/law3/digest", headers={"X-A": "b"})
    digests = {
        fields["arguments_digest"] for event, fields in gate.of_call("/law3/digest") if event != "outcome"
    }
    assert digests == {digest_of(sent)}


async def test_what_the_operator_is_shown_is_what_the_witness_gets(gate):
    async with gate.client() as client:
        waiting = await gate.fetch(client, "/law3/shown", "POST", body="x=1")
        row = gate.ask("approvals.show", id=approval_in(waiting))
        gate.ask("approvals.approve", id=row["id"])
        await gate.fetch(client, "/law3/shown", "POST", body="x=1")
    assert row["arguments"] == gate.fetching("/law3/shown", "POST", body="x=1")
    assert all(str(value) in row["rendered"] for value in row["arguments"].values())
    assert gate.witness.count("/law3/shown") == 1
