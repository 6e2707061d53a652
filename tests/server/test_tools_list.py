# SPDX-License-Identifier: Apache-2.0
"""tools/list: for whom it is, in a stable order, and told anew when the rules change."""

import anyio
import mcp.types as t
import pytest

from running import ERAS, RULES, TRANSPORTS, RunningGateway, by, rule_of, until

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_agent_sees_what_some_rule_could_open_for_it_in_the_order_of_names(gate, transport, mode):
    async with gate.client(transport, mode=mode) as client:
        first = [tool.name for tool in (await client.list_tools()).tools]
        again = [tool.name for tool in (await client.list_tools()).tools]
    async with gate.client(transport, mode=mode, agent="stranger") as client:
        stranger = [tool.name for tool in (await client.list_tools()).tools]
    assert first == again == sorted(first) == ["approval_status", "http_request"]
    assert stranger == ["approval_status"]


async def test_a_tool_is_listed_alike_in_both_eras_and_on_both_transports(gate):
    lists = []
    for transport in TRANSPORTS:
        for mode in ERAS:
            async with gate.client(transport, mode=mode) as client:
                tools = (await client.list_tools()).tools
                lists.append([(x.name, x.title, x.description, x.input_schema, x.annotations) for x in tools])
    assert all(found == lists[0] for found in lists)
    for _, _, description, schema, annotations in lists[0]:
        assert description
        assert schema["additionalProperties"] is False
        assert annotations.read_only_hint is not None


@pytest.mark.parametrize("mode", ERAS)
async def test_an_unknown_tool_is_a_denial_and_not_a_protocol_error(gate, mode):
    async with gate.client(mode=mode) as client:
        for name in ("no_such_tool", "", "http_request ", "HTTP_REQUEST", "http_request\x00", "x" * 10_000):
            assert rule_of(await client.call_tool(name, {})) == "gate.unknown-tool"


@pytest.fixture(scope="module")
def own():
    with RunningGateway() as gateway:
        yield gateway


MORE = {"id": "more", "allow": "http_request", "to": "stranger", "when": by("GET")}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_policy_that_is_applied_is_told_to_clients_of_this_era(own, transport):
    own.write(rules=RULES)
    own.ask("policy.apply")
    async with own.client(transport, agent="stranger") as client:
        assert len((await client.list_tools()).tools) == 1
        async with client.listen(tools_list_changed=True) as changes:
            own.write(rules=[*RULES, MORE])
            own.ask("policy.apply")
            with anyio.fail_after(10):
                async for _ in changes:
                    break
        assert len((await client.list_tools()).tools) == 2


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_policy_that_is_applied_is_told_to_clients_of_the_handshake_era(own, transport):
    own.write(rules=RULES)
    own.ask("policy.apply")
    told = []

    async def handler(message):
        told.append(message)

    async with own.client(transport, mode="legacy", agent="stranger", message_handler=handler) as client:
        assert len((await client.list_tools()).tools) == 1
        await anyio.sleep(0.3)  # the client opens its stream for notices after the handshake
        own.write(rules=[*RULES, MORE])
        own.ask("policy.apply")
        await until(lambda: any(isinstance(m, t.ToolListChangedNotification) for m in told))
        assert len((await client.list_tools()).tools) == 2
