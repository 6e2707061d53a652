# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading

import pytest
from audit_samples import intent

from yett.audit.describe import DESCRIBE_LIMIT, describe
from yett.audit.tail import tail

pytestmark = pytest.mark.anyio


def names(records):
    return [record["unmapped"]["yett"]["action"] for record in records]


async def test_tail_gives_the_last_records_oldest_first_across_segments(make_log, folder):
    log = make_log(segment_bytes=1_500)
    log.open()
    for number in range(9):
        await log.commit(intent(f"act-{number}"))
    assert names(tail(folder, 5)) == [f"act-{number}" for number in range(4, 9)]
    assert len(list(tail(folder, 100))) == 10
    assert list(tail(folder, 0)) == []


async def test_following_gives_each_new_record_once_across_a_rotation(make_log, folder):
    log = make_log(segment_bytes=1_500)
    log.open()
    await log.commit(intent("act-0"))
    following = tail(folder, 1, follow=True, poll=0.01)
    seen = [next(following)]
    reader = threading.Thread(target=lambda: seen.extend(next(following) for _ in range(12)))
    reader.start()
    for number in range(1, 13):
        await log.commit(intent(f"act-{number}"))
    reader.join(10)
    assert names(seen) == [f"act-{number}" for number in range(13)]


async def test_an_incomplete_line_is_left_out(make_log, folder):
    log = make_log()
    log.open()
    await log.commit(intent("act-0"))
    log.close()
    (segment,) = folder.glob("*.jsonl")
    with segment.open("ab") as file:
        file.write(b'not json\n{"half":')
    assert len(list(tail(folder, 10))) == 3


async def test_a_description_is_one_short_line_without_control_characters(make_log, folder):
    log = make_log()
    log.open()
    await log.commit(intent("act-1", reason="\x1b]0;owned\x07\nsecond line\u202e" + "x" * 1_000))
    (record,) = tail(folder, 1)
    line = describe(record)
    assert line.isprintable()
    assert len(line) <= DESCRIBE_LIMIT
    assert "#2  intent    act-1  a1  shell_run" in line


def test_a_record_of_unknown_shape_is_still_described():
    assert describe({"unmapped": {"yett": 3}, "time": "now"}) == "#None"
