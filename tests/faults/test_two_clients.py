# SPDX-License-Identifier: Apache-2.0
"""Several clients at once: one gateway a state folder, one chain of records, answers to whom they belong."""

import anyio
import pytest
from sandbox_world import on_host

from running import RunningGateway, text_of, until

pytestmark = pytest.mark.anyio


async def test_two_shims_interleave_in_one_chain(gate):
    before = len(gate.records())

    async def calls(agent, answers):
        async with gate.client("stdio", agent=agent) as client:
            for number in range(10):
                reply = await gate.fetch(client, f"/two/{agent}/{number}")
                answers.append(text_of(reply))

    answers = {"research-1": [], "research-2": []}
    async with anyio.create_task_group() as tasks:
        for agent, mine in answers.items():
            tasks.start_soon(calls, agent, mine)
    await until(lambda: len(gate.records("outcome")) >= 20 and len(gate.records()) - before >= 60)
    assert all(len(mine) == 10 for mine in answers.values())
    ours = [f["agent"] for e, _, f in gate.records("intent") if f["tool"] == "http_request"][-20:]
    assert ours.count("research-1") == ours.count("research-2") == 10
    assert ours != sorted(ours)
    gate.verified()


async def test_the_answer_of_one_agent_never_reaches_another(gate):
    async def calls(agent):
        async with gate.client("stdio", agent=agent) as one, gate.client("http", agent=agent) as two:
            for number in range(5):
                for client in (one, two):
                    reply = await gate.fetch(client, f"/to/mine/{agent}/{number}")
                    assert not reply.is_error
            seen = text_of(await one.call_tool("approval_status", {"id": f"apr-{agent}"}))
            assert agent in seen

    async with anyio.create_task_group() as tasks:
        for agent in ("research-1", "research-2"):
            tasks.start_soon(calls, agent)
    sessions = {f["agent"]: set() for _, _, f in gate.records("intent")}
    for _, _, fields in gate.records("intent"):
        sessions[fields["agent"]].add(fields["session"])
    assert sessions["research-1"].isdisjoint(sessions["research-2"])


async def test_shims_that_start_together_start_one_gateway():
    with RunningGateway() as gateway:
        gateway.stop()
        already = gateway.log.read_text().count("gateway ready")
        try:
            async with anyio.create_task_group() as tasks:
                for agent in ("research-1", "research-2", "research-1"):
                    tasks.start_soon(one_call, gateway, agent)
            assert gateway.log.read_text().count("gateway ready") - already == 1
            await until(lambda: len(gateways(gateway)) == 1)
            gateway.verified()
        finally:
            gateway.ask("stop")
            await until(lambda: gateways(gateway) == [])


def gateways(gateway):
    serving = set(on_host(str(gateway.path))) & set(on_host("gateway"))
    return sorted(serving)


async def one_call(gateway, agent):
    async with gateway.client("stdio", agent=agent) as client:
        assert "seen" in text_of(await gateway.fetch(client, f"/together/{agent}"))
