# SPDX-License-Identifier: Apache-2.0
"""Law 10: the first rejected value of each limit at the edge; what may run once is reserved first."""

import contextlib
import json
import socket
import time
from dataclasses import fields, is_dataclass

import anyio
import pytest

from gate import ASK, World, approval_of
from running import RunningGateway, raw_line, rule_of, text_of
from running import approval_of as approval_in
from yett import shim
from yett.gateway import MAX_CONNECTIONS

pytestmark = pytest.mark.anyio

BODY, DEPTH, PENDING = 2000, 8, 3


@pytest.fixture(scope="module")
def small():
    """A gateway with small limits."""
    with RunningGateway(start=False) as gateway:
        gateway.write(
            listen={"http": f"127.0.0.1:{gateway.port}", "max_body": BODY, "max_depth": DEPTH},
            approvals={"hold": "0.05s", "max_pending": PENDING},
        )
        gateway.start()
        gateway.issue_all()
        yield gateway


def ping(size=0, depth=1):
    """A ping of exactly that size or that many levels."""
    params = {}
    inner = params
    for _ in range(depth - 2):
        inner["a"] = {}
        inner = inner["a"]
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"} | ({"params": params} if depth > 1 else {})
    text = json.dumps(message)
    return (text[:-1] + " " * max(0, size - len(text)) + "}").encode()


def over_stdio(gateway, message):
    with raw_line(gateway) as (_, lines, _hello):
        lines.write(message + b"\n")
        lines.flush()
        return json.loads(lines.readline())


def test_the_first_body_that_is_too_large_is_refused_and_the_last_that_fits_is_not(small):
    assert len(ping(BODY)) == BODY
    assert small.post(ping(BODY))[0] != 413
    assert small.post(ping(BODY + 1))[0] == 413
    assert "larger" not in str(over_stdio(small, ping(BODY)))
    assert "larger than 2000 bytes" in str(over_stdio(small, ping(BODY + 1)))
    rules = [fields["rule"] for _, _, fields in small.records("refusal")]
    assert rules.count("gate.message-too-large") == 2


def test_the_first_depth_that_is_too_deep_is_refused_and_the_last_that_fits_is_not(small):
    for answer in (lambda m: small.post(m)[2].decode(), lambda m: str(over_stdio(small, m))):
        assert "nested deeper" not in answer(ping(depth=DEPTH))
        assert f"nested deeper than {DEPTH} levels" in answer(ping(depth=DEPTH + 1))


async def test_the_first_question_too_many_is_refused_and_another_agent_may_still_ask(small):
    async with small.client() as client:
        for number in range(PENDING):
            assert approval_in(await small.fetch(client, f"/law10/{number}", "POST"))
        refused = await small.fetch(client, "/law10/too-many", "POST")
        assert rule_of(refused) == "gate.bad-request"
        assert "Too many open questions" in text_of(refused)
        assert approval_in(
            await small.fetch(client, "/law10/0", "POST")
        )  # asking the same again is no new one
    async with small.client(agent="research-2") as client:
        assert approval_in(await small.fetch(client, "/law10/other", "POST"))


def test_the_first_connection_too_many_is_answered_and_the_operator_still_gets_through(small):
    links = []
    try:
        while len(links) < MAX_CONNECTIONS:
            link = shim.connect(str(small.state / "gateway.sock"))
            if link is None:  # its queue is full for the moment
                time.sleep(0.01)
                continue
            links.append(link)
        over = shim.connect(str(small.state / "gateway.sock"))
        links.append(over)
        over.settimeout(5)
        assert b"connections" in over.recv(4096)
        assert over.recv(1) == b""
        assert small.ask("status")["version"]
    finally:
        for link in links:
            link.close()
    deadline = time.monotonic() + 5
    while not served(small):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def served(gateway):
    """Whether a new line is greeted."""
    with contextlib.suppress(OSError, ValueError), raw_line(gateway) as (_, _lines, hello):
        return hello["ok"]
    return False


async def test_of_thirty_retries_at_once_one_spends_the_approval(gate):
    async with gate.client() as client:
        approval = approval_in(await gate.fetch(client, "/law10/spend", "POST"))
    gate.ask("approvals.approve", id=approval)
    replies = []

    async def retry(transport):
        async with gate.client(transport) as client, anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(once, client)

    async def once(client):
        replies.append(await gate.fetch(client, "/law10/spend", "POST"))

    async with anyio.create_task_group() as tasks:
        for transport in ("http", "stdio", "http"):
            tasks.start_soon(retry, transport)
    assert gate.witness.count("/law10/spend") == 1
    assert [reply.is_error for reply in replies].count(False) == 1


async def test_a_retry_and_approval_status_at_once_run_it_once():
    world = World(rules=(ASK,))
    approval = approval_of(await world.call())
    await world.approve(approval)
    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(world.call)
            tasks.start_soon(world.call, "approval_status", {"id": approval})
    assert len(world.tray.ran) == 1


async def test_an_approval_of_a_call_that_was_cut_off_is_used_up():
    world = World(rules=(ASK,), hold=5.0)
    approval = approval_of(await call_until_pending(world))
    await world.approve(approval)
    world.tray.wait = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(world.call)
        await world.tray.started.wait()
        tasks.cancel_scope.cancel()
    assert (await world.approvals.get(approval)).state == "failed"
    world.tray.wait = None
    world.use()
    assert approval_of(await world.call()) != approval


async def call_until_pending(world):
    world.use()
    return await world.call()


def test_every_setting_of_every_room_is_a_plain_named_value():
    """Settings hold numbers and names with defaults, so that each can be tested at its edge."""
    import importlib

    rooms = ("approvals", "audit", "egress", "identity", "policy", "privacy", "sandbox", "upstreams")
    for room in rooms:
        module = importlib.import_module(f"yett.{room}.settings")
        classes = [
            c for c in vars(module).values() if isinstance(c, type) and c.__module__ == module.__name__
        ]
        shapes = [c for c in classes if is_dataclass(c)]
        assert shapes
        for shape in shapes:
            assert shape.__dataclass_params__.frozen
            assert all(field.kw_only for field in fields(shape))


async def test_a_second_gateway_on_the_same_folder_does_not_start(gate):
    code, said = gate.run_to_end()
    assert code == shim.EXIT_LOCKED
    assert "another gateway" in said
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(gate.state / "gateway.sock"))  # and the first one still listens
