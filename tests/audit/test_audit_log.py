# SPDX-License-Identifier: Apache-2.0
"""The log while it runs: order, durability, groups, faults and recovery."""

from __future__ import annotations

import json
import os
import threading

import anyio
import pytest
from audit_samples import actions, intent, outcome, own

from yett.action import AuditRecord, Secret
from yett.audit.settings import AuditSettings
from yett.audit.tail import tail
from yett.audit.verify import verify
from yett.errors import AuditUnavailable, ConfigurationError

pytestmark = pytest.mark.anyio


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


async def test_a_commit_after_its_loop_is_gone_does_not_stop_the_writer(make_log, folder):
    log = make_log()
    log.open()
    thread = threading.Thread(target=anyio.run, args=(log.commit, intent("act-1")))
    thread.start()
    thread.join()
    await log.commit(intent("act-2"))
    assert json.dumps(actions(folder)) == '["act-1", "act-2"]'
