# SPDX-License-Identifier: Apache-2.0
"""An agent asks with megabytes: the operator can list no question, and other agents wait for its own."""

from __future__ import annotations

import json

import pytest

from gate import ASK, World, approval_of
from running import RunningGateway
from yett.administration import LISTED_ARGUMENTS, _listed
from yett.testing import MemoryStore

pytestmark = pytest.mark.anyio

BIG = "x" * 3_900_000


async def test_the_operators_list_is_whole_and_withholds_what_is_large():
    with RunningGateway() as gateway:
        async with gateway.client() as client:
            for number in range(15):
                await gateway.fetch(client, f"/big/{number}", "POST", body=BIG)
        rows = gateway.ask("approvals.list")
        assert len(rows) == 15
        assert len(json.dumps(rows)) < 20_000
        assert all("bytes" in row["arguments"]["withheld"] for row in rows)
        shown = gateway.ask("approvals.show", id=rows[0]["id"])
        assert shown["arguments"]["body"] == BIG


def test_the_first_arguments_that_are_too_large_are_withheld():
    fits = {"a": "x" * (LISTED_ARGUMENTS - len('{"a":""}'))}
    assert _listed(fits) == fits
    assert _listed({"a": fits["a"] + "x"}) == {
        "withheld": f"{LISTED_ARGUMENTS + 1} bytes; `approvals show` has them"
    }


class Counting(MemoryStore):
    """Counts what is read."""

    reads = 0

    async def get(self, collection, key):
        self.reads += 1
        return await super().get(collection, key)


async def test_a_new_question_reads_none_of_the_open_ones():
    world = World((ASK,), store=Counting(), hold=0.0)  # nobody looks again while it waits

    async def reads(number):
        before = world.store.reads
        assert approval_of(await world.call(arguments={"text": f"question {number}"}))
        return world.store.reads - before

    first = await reads(0)
    for number in range(1, 15):
        assert await reads(number) == first


async def test_an_open_question_that_has_expired_makes_room():
    world = World((ASK,))
    limit = 20
    for number in range(limit):
        approval_of(await world.call(arguments={"text": f"question {number}"}))
    refused = await world.call(arguments={"text": "one too many"})
    assert refused.result.meta["yett/denial"]["rule"] == "gate.bad-request"
    world.clock.advance(3600)
    assert approval_of(await world.call(arguments={"text": "one too many"}))
