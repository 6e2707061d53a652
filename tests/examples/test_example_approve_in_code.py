# SPDX-License-Identifier: Apache-2.0
import os

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from e2e.gateway import gateway
from examples.example import configuration, run

pytestmark = [pytest.mark.engine, pytest.mark.anyio]

LEDGER = "/workspace/ledger/today"


def payment(text):
    return {"path": LEDGER, "content": text, "append": True}


async def call(client, tool, arguments):
    result = await client.call_tool(tool, arguments)
    return "\n".join(block.text for block in result.content), result.meta or {}


async def test_the_approver_says_yes_to_small_payments_no_to_other_writes_and_leaves_large_ones_to_a_person():
    text, url = configuration("approve_in_code")
    with gateway(text) as gate:
        headers = {"Authorization": f"Bearer {gate.token('clerk')}"}
        bot, kim = (gate.lines("people", "add", name)[0]["token"] for name in ("payments-bot", "kim"))
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http)) as clerk,
        ):
            small, large = payment("pay 120 to highland iron\n"), payment("pay 9000 to highland iron\n")
            two_in_one = payment("pay 1 to kim\npay 9000 to kim\n")
            ids = []
            for arguments in (small, large, two_in_one):
                said, meta = await call(clerk, "file_write", arguments)
                assert "Pending approval" in said
                ids.append(meta["yett/approval"]["id"])

            done = run("approve_in_code/approver.py", str(gate.config), "--once", YETT_PERSON_TOKEN=bot)
            assert done.returncode == 0, done.stderr
            states = {row["id"]: row["state"] for row in gate.lines("approvals", "list", "--all")}
            assert [states[i] for i in ids] == ["approved", "pending", "denied"]

            said, meta = await call(clerk, "file_write", small)
            assert meta == {} or "yett/denial" not in meta, said
            said, _ = await call(clerk, "file_write", two_in_one)
            assert "book one payment a call" in said
            said, _ = await call(clerk, "file_write", large)
            assert "Pending approval" in said

            env = {**os.environ, "YETT_PERSON_TOKEN": kim}
            assert gate.run("approvals", "approve", ids[1], "--as", "kim", env=env).returncode == 0
            await call(clerk, "file_write", large)
            said, _ = await call(clerk, "file_read", {"path": LEDGER})
            assert said == "pay 120 to highland iron\npay 9000 to highland iron\n"

        by = [
            row["votes"][0]["by"]
            for i in ids
            for row in gate.lines("approvals", "list", "--all")
            if row["id"] == i
        ]
        assert by == ["person:payments-bot", "person:kim", "person:payments-bot"]


async def test_the_approver_can_answer_nothing_with_a_token_that_is_not_its_own():
    text, url = configuration("approve_in_code")
    with gateway(text) as gate:
        headers = {"Authorization": f"Bearer {gate.token('clerk')}"}
        kim = gate.lines("people", "add", "kim")[0]["token"]
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http)) as clerk,
        ):
            await call(clerk, "file_write", payment("pay 120 to highland iron\n"))
        done = run("approve_in_code/approver.py", str(gate.config), "--once", YETT_PERSON_TOKEN=kim)
        assert done.returncode != 0
        assert [row["state"] for row in gate.lines("approvals", "list", "--all")] == ["pending"]
