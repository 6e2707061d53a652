# SPDX-License-Identifier: Apache-2.0
"""The log on a disk that refuses, hangs, fills up or is changed beneath it; and a process that is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import anyio
import pytest
from audit_samples import actions, intent, outcome, own

from yett.audit import journal
from yett.audit.tail import tail
from yett.audit.verify import verify
from yett.errors import AuditUnavailable

pytestmark = pytest.mark.anyio


async def test_a_segment_replaced_while_running_breaks_the_log(make_log, folder):
    log = make_log()
    log.open()
    (segment,) = folder.glob("*.jsonl")
    copy = segment.read_bytes()
    segment.unlink()
    segment.write_bytes(copy)
    with pytest.raises(AuditUnavailable):
        await log.commit(intent("act-1"))
    with pytest.raises(AuditUnavailable):
        log.note(intent("act-2"))


async def test_a_folder_that_goes_away_breaks_the_log(make_log, folder):
    log = make_log()
    log.open()
    folder.rename(folder.with_name("gone"))
    with pytest.raises(AuditUnavailable):
        await log.commit(intent("act-1"))


async def test_a_segment_longer_than_we_left_it_breaks_the_log_and_is_cut_back(make_log, folder):
    log = make_log()
    log.open()
    (segment,) = folder.glob("*.jsonl")
    with segment.open("ab") as file:
        file.write(b"forged\n")
    with pytest.raises(AuditUnavailable, match="changed by somebody else"):
        await log.commit(intent("act-1"))
    await anyio.sleep(0.02)
    await log.commit(intent("act-2"))
    log.close()
    assert b"forged" not in segment.read_bytes()
    assert verify(folder).ok


async def test_every_waiting_caller_hears_that_the_disk_refused(make_log, monkeypatch):
    log = make_log(retry_interval=60)
    log.open()
    failures = []

    def refuse(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", refuse)

    async def write(number: int) -> None:
        try:
            await log.commit(intent(f"act-{number}"))
        except AuditUnavailable as error:
            failures.append(error)

    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(write, number)
    assert len(failures) == 20
    assert all(error.public() == AuditUnavailable.public_text for error in failures)


async def test_what_failed_is_not_in_the_log_and_a_lost_outcome_is_recorded_unknown(
    make_log, folder, monkeypatch
):
    log = make_log()
    log.open()
    await log.commit(intent("act-1"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", lambda descriptor: (_ for _ in ()).throw(OSError(5, "no")))
        with pytest.raises(AuditUnavailable):
            await log.commit(outcome("act-1"))
    await anyio.sleep(0.02)
    await log.commit(intent("act-2"))
    written = [own(r) for r in tail(folder, 100)]
    assert [r["fields"]["status"] for r in written if r["event"] == "outcome"] == ["unknown"]
    assert "log-recovered" in [r["fields"].get("what") for r in written]
    log.close()
    assert verify(folder).ok


async def test_a_disk_that_does_not_answer_is_a_fault_within_the_timeout(make_log, monkeypatch):
    log = make_log(commit_timeout=0.05)
    log.open()
    answered = threading.Event()
    real = os.fdatasync

    def slow(descriptor: int) -> None:
        answered.wait(5)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    with pytest.raises(AuditUnavailable, match="no answer"):
        await log.commit(intent("act-1"))
    answered.set()


CHILD = """
import sys, anyio
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from audit_samples import RealClock, intent
from yett.audit.log import AuditLog
from yett.audit.settings import AuditSettings

async def main():
    settings = AuditSettings(segment_bytes=20_000, checkpoint_interval=0.02)
    log = AuditLog(Path(sys.argv[1]), settings, RealClock())
    log.open()
    async def caller(name):
        number = 0
        while True:
            await log.commit(intent(f"{name}-{number}"))
            sys.stdout.write(f"{name}-{number}\\n")
            sys.stdout.flush()
            number += 1
    async with anyio.create_task_group() as group:
        for name in "abcd":
            group.start_soon(caller, name)

anyio.run(main)
"""


@pytest.mark.parametrize("acknowledged", [1, 40, 150])
def test_kill_9_loses_no_acknowledged_record(make_log, folder, acknowledged):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        said = [child.stdout.readline().strip() for _ in range(acknowledged)]
        child.kill()
        said += [
            line.strip() for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")
        ]
    report = verify(folder)
    assert report.ok, report.problems
    log = make_log()
    unfinished = log.open()
    log.close()
    assert set(said) <= set(unfinished)
    report = verify(folder)
    assert report.ok, report.problems
    assert report.unfinished == ()


async def fill(log, written: list[str]) -> None:
    """Commit records until it fails or there were two hundred."""
    for number in range(200):
        await log.commit(intent(f"act-{number}", argument="y" * 500))
        written.append(f"act-{number}")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB."""
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)], check=True)
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


async def test_a_full_disk_is_a_fault_and_the_log_recovers_when_there_is_room(small_disk, make_log):
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 30_000)
    log = make_log(small_disk / "audit", checkpoint_interval=60)
    log.open()
    written = []
    with pytest.raises(AuditUnavailable, match="No space left"):
        await fill(log, written)
    assert 5 < len(written) < 200
    with pytest.raises(AuditUnavailable):
        log.note(intent("lost"))
    assert actions(small_disk / "audit") == written
    ballast.unlink()
    await anyio.sleep(0.02)
    await log.commit(intent("after"))
    log.close()
    assert actions(small_disk / "audit") == [*written, "after"]
    report = verify(small_disk / "audit")
    assert report.ok, report.problems


async def test_a_full_disk_at_rotation_recovers_too(make_log, folder, monkeypatch):
    log = make_log(segment_bytes=1)
    log.open()
    real = journal.SegmentWriter

    def full(*arguments):
        real(*arguments).close()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "SegmentWriter", full)
        with pytest.raises(AuditUnavailable):
            await log.commit(intent("act-1"))
    await anyio.sleep(0.02)
    await log.commit(intent("act-2"))
    log.close()
    assert actions(folder) == ["act-2"]
    assert verify(folder).ok
