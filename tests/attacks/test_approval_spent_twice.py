# SPDX-License-Identifier: Apache-2.0
"""One approval, many uses: concurrent retries, restarts and kill -9 between approval and outcome."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from yett.action import ApprovalState, ApprovalTerms, Decision, Effect, Obligation, Outcome, Status, Vote
from yett.approvals.approvals import Approvals
from yett.approvals.settings import ApprovalSettings
from yett.store.sqlite import SqliteStore
from yett.testing import FrozenClock, MemoryNotify, SeededEntropy, make_action

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

ASK = Decision(effect=Effect.ASK, rule="mail-out", reason="Mail leaves.", approval=ApprovalTerms())


async def unlogged(record, previous, by):
    pass


def approvals_on(store, seed="a"):
    return Approvals(
        store=store,
        clock=FrozenClock(),
        entropy=SeededEntropy(seed),
        notify=MemoryNotify(),
        settings=ApprovalSettings(),
        on_transition=unlogged,
    )


async def approved(approvals):
    record = await approvals.propose(make_action(), ASK)
    return await approvals.vote(record.id, Vote(by="operator:root", approve=True, at=0), frozenset())


async def test_exactly_one_of_fifty_concurrent_retries_spends_the_approval(tmp_path):
    async with SqliteStore(tmp_path / "state.db") as store:
        approvals = approvals_on(store)
        record = await approved(approvals)
        spent = []

        async def retry():
            spent.append(await approvals.consume(record, make_action(), ASK))

        async with anyio.create_task_group() as tasks:
            for _ in range(50):
                tasks.start_soon(retry)
        assert sum(spent) == 1
        assert len(spent) == 50


async def test_two_gateways_on_one_file_spend_an_approval_once(tmp_path):
    async with SqliteStore(tmp_path / "state.db") as one, SqliteStore(tmp_path / "state.db") as two:
        first, second = approvals_on(one), approvals_on(two, "b")
        record = await approved(first)
        spent = []

        async def retry(approvals):
            try:
                spent.append(await approvals.consume(record, make_action(), ASK))
            except Exception as error:  # noqa: BLE001  # the loser of the race may be told either way
                spent.append(error)

        async with anyio.create_task_group() as tasks:
            for approvals in (first, second) * 5:
                tasks.start_soon(retry, approvals)
        assert spent.count(True) == 1


@pytest.mark.parametrize(
    "changed",
    [
        replace(ASK, approval=ApprovalTerms(need=2)),
        replace(ASK, approval=ApprovalTerms(approvers=frozenset({"finance"}))),
        replace(ASK, approval=ApprovalTerms(not_requester=True)),
        replace(ASK, obligations=(Obligation(kind="mask", value="PERSON"),)),
        replace(ASK, effect=Effect.DENY),
    ],
)
async def test_an_approval_is_worth_nothing_once_policy_asks_more(tmp_path, changed):
    async with SqliteStore(tmp_path / "state.db") as store:
        approvals = approvals_on(store)
        record = await approved(approvals)
        assert not await approvals.consume(record, make_action(), changed)
        assert await approvals.consume(record, make_action(), ASK)


async def test_a_restart_between_approval_and_use_leaves_it_usable_once(tmp_path):
    path = tmp_path / "state.db"
    async with SqliteStore(path) as store:
        record = await approved(approvals_on(store))
    async with SqliteStore(path) as store:
        restarted = approvals_on(store, "b")
        await restarted.recover()
        found = await restarted.propose(make_action(), ASK)
        assert found == record
        assert await restarted.consume(found, make_action(), ASK)
        assert not await restarted.consume(found, make_action(), ASK)


RUNNER = """
import sys
from pathlib import Path
import anyio
sys.path.insert(0, sys.argv[2])
from test_approval_spent_twice import ASK, SqliteStore, approvals_on, approved, make_action

async def main():
    async with SqliteStore(Path(sys.argv[1])) as store:
        approvals = approvals_on(store)
        record = await approved(approvals)
        assert await approvals.consume(record, make_action(), ASK)
        print(record.id, flush=True)
        await anyio.sleep(60)

anyio.run(main)
"""


def consumed_and_killed(path):
    here = str(Path(__file__).parent)
    with subprocess.Popen([sys.executable, "-c", RUNNER, path, here], stdout=subprocess.PIPE) as runner:
        approval = runner.stdout.readline().decode().strip()
        os.kill(runner.pid, signal.SIGKILL)
    return approval


async def test_what_was_executing_at_kill_9_is_failed_and_never_runs_again(tmp_path):
    path = tmp_path / "state.db"
    approval = await anyio.to_thread.run_sync(consumed_and_killed, path)
    async with SqliteStore(path) as store:
        restarted = approvals_on(store, "b")
        lost = await restarted.get(approval)
        assert lost.state is ApprovalState.EXECUTING
        assert not await restarted.consume(lost, make_action(), ASK)
        await restarted.recover()
        lost = await restarted.get(approval)
        assert (lost.state, lost.note) == (ApprovalState.FAILED, "outcome unknown")
        assert not await restarted.consume(lost, make_action(), ASK)
        assert (await restarted.propose(make_action(), ASK)).state is ApprovalState.PENDING


async def test_a_call_that_did_not_run_still_used_its_approval_up(tmp_path):
    async with SqliteStore(tmp_path / "state.db") as store:
        approvals = approvals_on(store)
        record = await approved(approvals)
        await approvals.consume(record, make_action(), ASK)
        await approvals.finish(record.id, Outcome(status=Status.NOT_RUN))
        assert not await approvals.consume(record, make_action(), ASK)
