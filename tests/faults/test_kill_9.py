# SPDX-License-Identifier: Apache-2.0
"""SIGKILL to the gateway at each step of a call: what is left is dead, recorded and not for use again."""

import random

import anyio
import pytest
from sandbox_world import containers_of, marker, on_host

from running import RULES, SHELL_RULE, RunningGateway, text_of, until
from yett.state_folder import instance_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def mortal(tiny_image):
    """A gateway that holds a call for long, and that tests kill and start again."""
    with RunningGateway(
        rules=[*RULES, SHELL_RULE],
        tools={"http": {}, "shell": {"image": tiny_image, "timeout": "20s"}},
        approvals={"hold": "15s", "max_pending": 100},
    ) as gateway:
        yield gateway


async def dies_during(gateway, ready, name, arguments):
    """Make a call, wait for `ready`, kill the gateway, and start another one on the same state."""

    async def call():
        async with gateway.client() as client:
            await client.call_tool(name, arguments)

    with pytest.raises(Exception):  # noqa: B017, PT011, PT012  # whatever the client makes of a dead server
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await until(ready)
            gateway.kill()
    gateway.start()
    gateway.verified()


async def labels(gateway):
    async with gateway.client() as client:
        await client.list_tools()
    return next(row["labels"] for row in gateway.ask("sessions.list") if row["agent"] == "research-1")


def story(gateway, path):
    return [(event, fields.get("status")) for event, fields in gateway.of_call(path)]


async def test_killed_while_a_person_is_asked_nothing_ran_and_the_question_stands(mortal):
    await dies_during(
        mortal, lambda: mortal.ask("approvals.list"), "http_request", mortal.fetching("/k/hold", "POST")
    )
    assert story(mortal, "/k/hold") == [("decision", None)]
    (row,) = mortal.ask("approvals.list")
    assert row["state"] == "pending"
    assert mortal.witness.count("/k/hold") == 0
    mortal.ask("approvals.approve", id=row["id"])
    async with mortal.client() as client:
        assert "seen" in text_of(await mortal.fetch(client, "/k/hold", "POST"))
    assert await labels(mortal) == ["untrusted"]


async def test_killed_after_the_approval_and_before_its_use_it_runs_once(mortal):
    with anyio.move_on_after(1):
        async with mortal.client() as client:
            await mortal.fetch(client, "/k/unused", "POST")
    (approval,) = mortal.pending()
    mortal.ask("approvals.approve", id=approval)
    mortal.kill()
    mortal.start()
    assert mortal.ask("approvals.show", id=approval)["state"] == "approved"
    async with mortal.client() as client:
        assert "seen" in text_of(await mortal.fetch(client, "/k/unused", "POST"))
        with anyio.move_on_after(0.5):
            await mortal.fetch(client, "/k/unused", "POST")
    assert mortal.witness.count("/k/unused") == 1
    (again,) = mortal.pending()
    assert again != approval
    mortal.ask("approvals.deny", id=again)
    mortal.verified()


async def test_killed_while_an_approved_call_runs_it_is_unknown_and_can_not_be_run_again(mortal):
    mortal.witness.let_go.clear()
    with anyio.move_on_after(1):
        async with mortal.client() as client:
            await mortal.fetch(client, "/k/slow", "POST")
    (approval,) = mortal.pending()
    mortal.ask("approvals.approve", id=approval)
    hit = lambda: mortal.witness.count("/k/slow") == 1  # noqa: E731
    await dies_during(mortal, hit, "http_request", mortal.fetching("/k/slow", "POST"))
    assert story(mortal, "/k/slow")[-2:] == [("intent", None), ("outcome", "unknown")]
    assert mortal.ask("approvals.show", id=approval)["state"] == "failed"
    async with mortal.client() as client:
        reply = await client.call_tool("approval_status", {"id": approval})
        assert "runs nothing any more" in text_of(reply)
        with anyio.move_on_after(0.5):
            await mortal.fetch(client, "/k/slow", "POST")
    assert mortal.witness.count("/k/slow") == 1
    assert await labels(mortal) == ["untrusted"]
    for left in mortal.pending():
        mortal.ask("approvals.deny", id=left)


@pytest.mark.engine
async def test_killed_while_a_container_runs_nothing_is_left_alive(mortal):
    seconds = marker()
    command = {"command": f"setsid sleep {seconds} & sleep {seconds}"}
    instance = instance_of(mortal.state)
    await dies_during(mortal, lambda: len(on_host(seconds)) == 2, "shell_run", command)
    await until(lambda: on_host(seconds) == [])
    ours = [a for e, a, f in mortal.records("decision") if seconds in str(f.get("arguments"))]
    ends = [f.get("status") for e, a, f in mortal.records("outcome") if a in ours]
    assert ends == ["unknown"]
    mortal.stop()
    assert containers_of(instance) == []
    mortal.start()
    async with mortal.client() as client:
        assert "alive" in text_of(await client.call_tool("shell_run", {"command": "echo alive"}))


async def test_killed_at_any_moment_of_many_calls_every_intent_has_one_outcome(mortal):
    generator = random.Random(7)  # noqa: S311
    for turn in range(2):

        async def calls(agent, turn=turn):
            async with mortal.client(agent=agent) as client:
                for number in range(10_000):
                    await mortal.fetch(client, f"/k/many/{turn}/{agent}/{number}")

        with pytest.raises(Exception):  # noqa: B017, PT011, PT012  # whatever the client makes of a dead server
            async with anyio.create_task_group() as tasks:
                for agent in ("research-1", "research-2"):
                    tasks.start_soon(calls, agent)
                await until(lambda turn=turn: any(f"/k/many/{turn}/" in hit for hit in mortal.witness.hits))
                await anyio.sleep(generator.uniform(0, 0.3))
                mortal.kill()
        mortal.start()
    report = mortal.verified()
    assert report.unfinished == ()
    decided = {a for e, a, f in mortal.records("decision") if "/k/many/" in str(f.get("arguments"))}
    intents = [a for e, a, f in mortal.records("intent") if a in decided]
    outcomes = [a for e, a, f in mortal.records("outcome") if a in decided]
    hits = [hit for hit in mortal.witness.hits if "/k/many/" in hit]
    assert sorted(intents) == sorted(outcomes)
    assert len(set(hits)) == len(hits) <= len(intents)
