# SPDX-License-Identifier: Apache-2.0
"""The log while it runs: order, durability, groups, faults and recovery."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import anyio
import pytest
from audit_samples import intent, outcome

from yett.action import AuditRecord, Secret
from yett.audit import journal
from yett.audit.settings import AuditSettings
from yett.audit.tail import tail
from yett.audit.verify import verify
from yett.errors import AuditUnavailable, ConfigurationError

pytestmark = pytest.mark.anyio


def own(record):
    return record["unmapped"]["yett"]


def actions(folder: Path, event: str = "intent") -> list[str]:
    return [own(r)["action"] for r in tail(folder, 1_000_000) if own(r)["event"] == event]


async def test_a_committed_record_is_in_the_file_when_commit_returns(make_log, folder):
    make_log().open()
    log = make_log(folder.with_name("other"))
    log.open()
    await log.commit(intent("act-1"))
    assert actions(folder.with_name("other")) == ["act-1"]


async def test_a_record_is_ocsf_and_carries_number_time_and_chain(make_log, folder, clock):
    log = make_log()
    log.open()
    before = clock.now()
    await log.commit(
        AuditRecord(
            event="decision",
            action="act-1",
            fields={
                "effect": "deny",
                "tool": "sql_query",
                "agent": "a1",
                "session": "s1",
                "source_ip": "10.0.0.9",
            },
        )
    )
    opened, record = tail(folder, 2)
    assert record["class_uid"] == 6003
    assert record["category_uid"] == 6
    assert record["type_uid"] == 6003 * 100 + record["activity_id"]
    assert record["status_id"] == 2
    assert record["metadata"]["version"] == "1.9.0"
    assert record["metadata"]["sequence"] == 2
    assert record["metadata"]["uid"].endswith("/2")
    assert record["api"]["operation"] == "sql_query"
    assert record["actor"] == {"app_name": "a1", "session": {"uid": "s1"}}
    assert record["src_endpoint"] == {"ip": "10.0.0.9"}
    assert abs(record["time"] - before * 1000) < 60_000
    assert own(record)["prev"] == own(opened)["hash"]


async def test_records_keep_the_order_in_which_they_were_handed_over(make_log, folder):
    log = make_log()
    log.open()

    async def write(number: int) -> None:
        await log.commit(intent(f"act-{number:03}"))

    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(write, number)
    assert actions(folder) == [f"act-{number:03}" for number in range(200)]
    assert verify(folder).ok


async def test_waiting_callers_share_one_flush(make_log, monkeypatch):
    log = make_log()
    log.open()
    flushes = 0
    real = os.fdatasync

    def counted(descriptor: int) -> None:
        nonlocal flushes
        flushes += 1
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", counted)
    async with anyio.create_task_group() as group:
        for number in range(100):
            group.start_soon(log.commit, intent(f"act-{number}"))
    assert 0 < flushes < 20


async def test_a_note_keeps_its_place_before_a_later_commit(make_log, folder):
    log = make_log(flush_interval=60)
    log.open()
    log.note(intent("act-1"))
    await log.commit(intent("act-2"))
    assert actions(folder) == ["act-1", "act-2"]


async def test_a_note_alone_is_written_within_the_flush_interval(make_log, folder):
    log = make_log(flush_interval=0.01)
    log.open()
    log.note(intent("act-1"))
    with anyio.fail_after(5):
        while actions(folder) != ["act-1"]:  # noqa: ASYNC110 - the file is the event
            await anyio.sleep(0.01)


async def test_a_checkpoint_follows_new_records_without_being_asked(make_log, folder):
    log = make_log(checkpoint_interval=0.02)
    log.open()
    await log.commit(intent("act-1"))
    with anyio.fail_after(5):
        while verify(folder).signed < 2:  # noqa: ASYNC110 - the file is the event
            await anyio.sleep(0.01)


async def test_segments_rotate_at_their_size_and_verify_together(make_log, folder):
    log = make_log(segment_bytes=2_000)
    log.open()
    for number in range(20):
        await log.commit(intent(f"act-{number}"))
    log.close()
    report = verify(folder)
    assert report.ok, report.problems
    assert report.segments > 4
    assert report.records == report.signed == 22
    reopened = make_log(segment_bytes=2_000)
    assert reopened.open() == tuple(f"act-{number}" for number in range(20))
    reopened.close()
    assert verify(folder).ok


async def test_two_writers_are_refused(make_log):
    make_log().open()
    with pytest.raises(AuditUnavailable, match="another process writes it"):
        make_log().open()


async def test_an_intent_without_outcome_gets_one_with_status_unknown_at_the_next_start(make_log, folder):
    log = make_log()
    log.open()
    await log.commit(intent("act-1"), intent("act-2"))
    await log.commit(outcome("act-1"))
    log.close()
    again = make_log()
    assert again.open() == ("act-2",)
    assert again.unfinished == ("act-2",)
    again.close()
    lost = [own(r) for r in tail(folder, 100) if own(r)["event"] == "outcome" and own(r)["action"] == "act-2"]
    assert [r["fields"]["status"] for r in lost] == ["unknown"]
    third = make_log()
    assert third.open() == ()


async def test_a_torn_last_line_is_cut_and_said(make_log, folder):
    log = make_log()
    log.open()
    await log.commit(intent("act-1"), outcome("act-1"))
    log.close()
    (segment,) = folder.glob("*.jsonl")
    with segment.open("ab") as file:
        file.write(b'{"activity_id":99,"half')
    again = make_log()
    again.open()
    again.close()
    cut = [own(r)["fields"] for r in tail(folder, 100) if own(r)["fields"].get("what") == "log-cut"]
    assert cut == [{"what": "log-cut", "bytes": 23}]
    assert verify(folder).ok


@pytest.mark.parametrize("what", ["cut", "edit", "key", "checkpoint"])
async def test_a_log_that_does_not_verify_is_not_continued(make_log, folder, what):
    log = make_log()
    log.open()
    await log.commit(intent("act-1"), intent("act-2"))
    log.close()
    (segment,) = folder.glob("*.jsonl")
    text = segment.read_bytes()
    if what == "cut":
        segment.write_bytes(b"".join(text.splitlines(keepends=True)[:-1]))
    elif what == "edit":
        segment.write_bytes(text.replace(b"act-1", b"act-7"))
    else:
        (folder / what).unlink()
    before = segment.read_bytes()
    with pytest.raises(AuditUnavailable):
        make_log().open()
    assert segment.read_bytes() == before


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


async def test_more_waiting_records_than_the_limit_are_refused(make_log):
    log = make_log(queue_records=3, flush_interval=60)
    log.open()
    for number in range(3):
        log.note(intent(f"act-{number}"))
    with pytest.raises(AuditUnavailable, match="already wait"):
        log.note(intent("act-3"))


async def test_a_record_over_the_limit_is_refused_and_the_log_goes_on(make_log):
    log = make_log(record_bytes=2_000)
    log.open()
    with pytest.raises(AuditUnavailable, match="over the limit"):
        await log.commit(intent("act-1", argument="x" * 2_000))
    await log.commit(intent("act-2"))


async def test_a_closed_log_takes_nothing(make_log):
    log = make_log()
    log.open()
    log.close()
    with pytest.raises(AuditUnavailable, match="closed"):
        await log.commit(intent("act-1"))
    with pytest.raises(AuditUnavailable, match="closed"):
        log.note(intent("act-1"))


async def test_a_secret_in_a_field_is_never_written(make_log, folder):
    log = make_log()
    log.open()
    await log.commit(
        intent("act-1", token=Secret("hunter2-hunter2"), nested={"list": [Secret("hunter2-hunter2")]})
    )
    log.close()
    everything = b"".join(path.read_bytes() for path in folder.iterdir())
    assert b"hunter2" not in everything
    assert b'"token":"***"' in everything
    assert verify(folder).ok


async def test_a_field_that_is_not_json_is_refused_before_the_disk(make_log):
    log = make_log()
    log.open()
    with pytest.raises(TypeError):
        log.note(intent("act-1", thing=object()))
    with pytest.raises(ValueError, match="not JSON compliant"):
        log.note(intent("act-1", number=float("nan")))
    with pytest.raises(ValueError, match="not an audit event"):
        log.note(AuditRecord(event="gossip"))
    await log.commit(intent("act-2"))


async def test_files_are_readable_by_the_owner_alone(make_log, folder):
    log = make_log(segment_bytes=1)
    log.open()
    await log.commit(intent("act-1"))
    await log.commit(intent("act-2"))
    assert folder.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.iterdir())
    assert [path.stat().st_mode & 0o200 for path in sorted(folder.glob("*.jsonl"))][:-1] == [0, 0]


@pytest.mark.parametrize(
    "name",
    [
        "segment_bytes",
        "flush_interval",
        "checkpoint_interval",
        "retry_interval",
        "commit_timeout",
        "queue_records",
        "record_bytes",
    ],
)
def test_a_setting_of_zero_is_refused(name):
    with pytest.raises(ConfigurationError, match=name):
        AuditSettings(**{name: 0})


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


async def test_a_commit_after_its_loop_is_gone_does_not_stop_the_writer(make_log, folder):
    log = make_log()
    log.open()
    thread = threading.Thread(target=anyio.run, args=(log.commit, intent("act-1")))
    thread.start()
    thread.join()
    await log.commit(intent("act-2"))
    assert json.dumps(actions(folder)) == '["act-1", "act-2"]'
