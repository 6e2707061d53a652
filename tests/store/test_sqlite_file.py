# SPDX-License-Identifier: Apache-2.0
"""What the SQLite store promises of its file."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from yett.errors import BadRequest, EnvironmentFault
from yett.store.settings import StoreSettings
from yett.store.sqlite import SCHEMA_VERSION, SqliteStore

pytestmark = pytest.mark.anyio

WRITER = """
import sys
from pathlib import Path
import anyio
from yett.store.sqlite import SqliteStore

async def main():
    async with SqliteStore(Path(sys.argv[1])) as store:
        number = 0
        while True:
            await store.put("acknowledged", f"{number:06d}", {"n": number})
            print(number, flush=True)
            number += 1

anyio.run(main)
"""


def acknowledged_by_a_writer_that_is_killed(path):
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        lines = [writer.stdout.readline() for _ in range(40)]
        os.kill(writer.pid, signal.SIGKILL)
        return [int(line) for line in lines + writer.stdout.readlines()]


async def test_every_acknowledged_put_survives_kill_9(tmp_path):
    path = tmp_path / "state.db"
    acknowledged = await anyio.to_thread.run_sync(acknowledged_by_a_writer_that_is_killed, path)
    async with SqliteStore(path) as store:
        found = [value["n"] for _, value in await store.scan("acknowledged")]
    assert found[: len(acknowledged)] == acknowledged
    assert len(found) <= len(acknowledged) + 1


async def test_the_file_and_its_log_are_for_the_owner_only(tmp_path):
    path = tmp_path / "state.db"
    before = os.umask(0)
    try:
        async with SqliteStore(path) as store:
            await store.put("a", "k", {})
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes["state.db"] == 0o600
    assert modes["state.db-wal"] == 0o600


async def test_a_file_that_was_readable_by_others_is_closed_to_them(tmp_path):
    path = tmp_path / "state.db"
    path.touch(mode=0o644)
    path.chmod(0o644)
    async with SqliteStore(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_symbolic_link_is_refused(tmp_path):
    (tmp_path / "real.db").touch()
    (tmp_path / "state.db").symlink_to(tmp_path / "real.db")
    with pytest.raises(EnvironmentFault):
        await SqliteStore(tmp_path / "state.db").open()


async def test_commits_wait_for_the_disk(tmp_path):
    store = SqliteStore(tmp_path / "state.db")
    async with store:
        assert store._live.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert store._live.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


async def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "state.db"
    async with SqliteStore(path) as store:
        for number in range(200):
            await store.put("a", f"{number:04d}", {"text": "x" * 200})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2048] = b"\x5a" * 2048
    path.write_bytes(data)
    with pytest.raises(EnvironmentFault) as caught:
        await SqliteStore(path).open()
    assert str(path) not in caught.value.public()


async def test_a_file_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "state.db"
    async with SqliteStore(path):
        pass
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE schema_version SET version = ?", (SCHEMA_VERSION + 1,))
    raw.close()
    with pytest.raises(EnvironmentFault, match="schema version"):
        await SqliteStore(path).open()


async def test_a_document_one_byte_over_the_limit_is_refused(tmp_path):
    async with SqliteStore(tmp_path / "state.db", StoreSettings(document_limit=20)) as store:
        await store.put("a", "fits", {"t": "x" * 12})
        with pytest.raises(BadRequest):
            await store.put("a", "does-not", {"t": "x" * 13})
        assert await store.get("a", "does-not") is None


async def test_text_that_is_not_unicode_is_refused(tmp_path):
    async with SqliteStore(tmp_path / "state.db") as store:
        with pytest.raises(BadRequest):
            await store.put("a", "k", {"t": "\ud800"})


async def test_a_lock_held_elsewhere_ends_the_wait_with_a_fault(tmp_path):
    path = tmp_path / "state.db"
    async with SqliteStore(path, StoreSettings(busy_timeout=0.05)) as store:
        await store.put("a", "k", {"n": 1})
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EnvironmentFault):
            await store.put("a", "k", {"n": 2})
        with pytest.raises(EnvironmentFault):
            await store.swap("a", "k", {"n": 1}, {"n": 2})
        other.execute("ROLLBACK")
        other.close()
        assert await store.swap("a", "k", {"n": 1}, {"n": 3})


async def test_a_swap_lost_to_another_connection_is_false_and_not_a_fault(tmp_path):
    path = tmp_path / "state.db"
    async with SqliteStore(path) as one, SqliteStore(path) as two:
        await one.put("a", "k", {"n": 0})
        won = []

        async def count_up(store):
            for _ in range(100):
                now = await store.get("a", "k")
                won.append(await store.swap("a", "k", now, {"n": now["n"] + 1}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(count_up, one)
            tasks.start_soon(count_up, two)
        assert (await one.get("a", "k"))["n"] == sum(won)
        assert len(won) == 200


async def test_a_call_that_hangs_ends_at_its_deadline_and_later_calls_are_not_mixed_into_it(tmp_path):
    store = SqliteStore(tmp_path / "state.db", StoreSettings(deadline=0.2))
    async with store:
        let_go = threading.Event()
        with pytest.raises(EnvironmentFault):
            await store._in_thread(lambda: let_go.wait(5))
        with pytest.raises(EnvironmentFault):
            await store.put("a", "k", {})
        let_go.set()
        assert await anyio.to_thread.run_sync(store._inside.acquire, True, 5)
        store._inside.release()
        await store.put("a", "k", {"n": 1})
        assert await store.get("a", "k") == {"n": 1}


async def test_the_event_loop_runs_on_while_the_disk_is_slow(tmp_path):
    async with SqliteStore(tmp_path / "state.db") as store:
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tick)
            await store._in_thread(lambda: time.sleep(0.05))
            tasks.cancel_scope.cancel()
        assert ticks > 10


async def test_a_closed_store_answers_with_a_fault(tmp_path):
    store = SqliteStore(tmp_path / "state.db")
    async with store:
        pass
    with pytest.raises(EnvironmentFault):
        await store.get("a", "k")
    async with store:
        assert await store.get("a", "k") is None


async def test_a_store_is_not_opened_twice(tmp_path):
    async with SqliteStore(tmp_path / "state.db") as store:
        with pytest.raises(EnvironmentFault, match="open already"):
            await store.open()


async def test_a_missing_directory_is_a_fault_and_not_made(tmp_path):
    with pytest.raises(EnvironmentFault):
        await SqliteStore(tmp_path / "none" / "state.db").open()
    assert not (tmp_path / "none").exists()
