# SPDX-License-Identifier: Apache-2.0
"""Law 8: no secret is in any file that the gate writes, and personal values are masked in them."""

import hashlib
import secrets

import pytest
from mcp.types import Implementation

from gate import ASK, World, approval_of
from running import EDGE_SECRET, raw_line, rule_of
from yett.action import Secret
from yett.privacy.settings import PrivacySettings

pytestmark = pytest.mark.anyio


def new_key():
    """The shape of a cloud key; another one for each test, so that each finds its own leak."""
    return "AKIA" + "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ234567") for _ in range(16))


KEY = new_key()
CARD = "4111111111111111"


def everything_written(gateway):
    """Every byte in the state folder: log, database with its journal, gateway.log, keys, checkpoints."""
    return {path: path.read_bytes() for path in gateway.state.rglob("*") if path.is_file()}


def nowhere(gateway, *values):
    files = everything_written(gateway)
    assert any(path.name.startswith("yett.db") for path in files)
    assert any("audit" in str(path) for path in files)
    for value in values:
        found = [path.name for path, content in files.items() if value.encode() in content]
        assert found == [], (value[:6], found)


@pytest.mark.parametrize(
    "arguments",
    [
        {"url": f"http://127.0.0.1:1/?k={KEY}"},
        {"headers": {"X-Key": KEY}},
        {"headers": {KEY: "a"}},
        {"body": f"a={KEY}"},
        {"json": {"deep": [{KEY: [KEY]}]}},
        {"method": KEY},
        {"timeout": KEY},
        {KEY: "an argument that is not in the schema"},
    ],
    ids=["url", "header", "header-name", "body", "json", "wrong-enum", "wrong-type", "wrong-name"],
)
async def test_a_secret_in_an_argument_is_in_no_file(gate, arguments):
    async with gate.client() as client:
        base = gate.fetching("/law8/argument", "POST")
        assert (await client.call_tool("http_request", {**base, **arguments})).is_error
    nowhere(gate, KEY)
    assert gate.witness.count("/law8/argument") == 0


async def test_a_secret_in_place_of_a_tool_s_name_is_in_no_file(gate):
    key = new_key()
    async with gate.client() as client:
        assert rule_of(await client.call_tool(key, {})) == "gate.unknown-tool"
    nowhere(gate, key)


async def test_a_secret_in_a_client_s_own_name_is_in_no_file(gate):
    key = new_key()
    for mode in ("auto", "legacy"):
        info = Implementation(name=f"client {key}", version=key)
        async with gate.client(mode=mode, client_info=info) as client:
            await client.call_tool("no_such_tool", {})
    nowhere(gate, key)


async def test_a_secret_in_an_approval_s_id_is_in_no_file(gate):
    key = new_key()
    async with gate.client() as client:
        await client.call_tool("approval_status", {"id": key})
    nowhere(gate, key)


async def test_a_secret_in_a_message_that_is_none_is_in_no_file(gate):
    key = new_key()
    for body in (
        f'{{"{key}":1,"{key}":2}}',
        f'["{key}"]',
        f'{{"a": {key}}}',
        f'{{"jsonrpc":"{key}","id":1}}',
    ):
        gate.post(body.encode())
        with raw_line(gate) as (_, lines, hello):
            assert hello["ok"]
            lines.write(body.encode() + b"\n")
            lines.flush()
            lines.readline()
    gate.post(b"{}", token=key)
    nowhere(gate, key)


async def test_a_secret_in_a_result_is_in_no_file_and_not_in_the_reply(gate):
    key = new_key()
    gate.witness.answer = f"the key is {key}".encode()
    try:
        async with gate.client() as client:
            reply = await gate.fetch(client, "/law8/result")
    finally:
        gate.witness.answer = b"seen"
    assert gate.witness.count("/law8/result") == 1
    assert key not in str(reply)
    nowhere(gate, key)


async def test_a_card_in_a_question_is_masked_in_the_record_that_people_read(gate):
    async with gate.client() as client:
        await gate.fetch(client, "/law8/card", "POST", body=f"card={CARD}")
    assert CARD not in str(gate.ask("approvals.list", all=True))
    nowhere(gate, CARD)


async def test_a_person_s_words_at_a_denial_and_tokens_are_in_no_file_in_clear(gate):
    token = gate.ask("people.add", name="kim")
    nowhere(gate, token, *gate.tokens.values())


@pytest.mark.engine
async def test_the_credential_of_the_edge_is_in_no_file(shell_gate):
    async with shell_gate.client() as client:
        await shell_gate.fetch(client, "/law8/edge")
        await client.call_tool("shell_run", {"command": f"echo {KEY}"})
    assert shell_gate.witness.count("/law8/edge") == 1
    nowhere(shell_gate, EDGE_SECRET, KEY)


async def test_a_finding_in_the_log_has_a_type_a_place_and_a_fingerprint_and_not_the_value():
    world = World(rules=(ASK,))
    approval_of(await world.call(arguments={"text": "card 4111 1111 1111 1111"}))
    (finding,) = world.audit.records[0].fields["findings"]
    assert set(finding) == {"entity", "place", "action", "score", "fingerprint"}
    assert "4111" not in str(world.audit.records)


async def test_the_fingerprint_of_a_value_is_keyed():
    prints = set()
    for key in ("a" * 32, "b" * 32):
        world = World(privacy=PrivacySettings(key=Secret(key)))
        await world.call(arguments={"text": "card 4111 1111 1111 1111"})
        prints.add(world.audit.records[0].fields["findings"][0]["fingerprint"])
    assert len(prints) == 2
    plain = {hashlib.sha256(form.encode()).hexdigest() for form in (CARD, "4111 1111 1111 1111")}
    assert not any(full.startswith(found) for full in plain for found in prints)
