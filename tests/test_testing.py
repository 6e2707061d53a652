# SPDX-License-Identifier: Apache-2.0
"""The public in-memory rooms keep the shapes and promises of the real ones."""

from __future__ import annotations

import re

import anyio
import pytest

from yett.action import AuditRecord, ElicitationAnswer, Question
from yett.errors import AuditUnavailable, ExecutionError
from yett.ports import Command
from yett.testing import FrozenClock, MemoryAudit, MemorySandboxes, ScriptedDialogue, SeededEntropy

QUESTION = Question(approval="apr-1", nonce="n-1", message="?")


def test_time_stands_still_until_it_is_moved():
    clock = FrozenClock(now=100.0)
    wall, monotonic = clock.now(), clock.monotonic()
    clock.advance(5)
    assert (clock.now(), clock.monotonic()) == (wall + 5, monotonic + 5)
    clock.set_wall(1.0)
    assert (clock.now(), clock.monotonic()) == (1.0, monotonic + 5)


def test_monotonic_time_never_goes_back():
    with pytest.raises(ValueError, match="never goes back"):
        FrozenClock().advance(-1)


def test_seeded_ids_and_tokens_have_the_shapes_of_real_ones_and_never_repeat():
    entropy = SeededEntropy()
    ids = [entropy.id("apr") for _ in range(100)]
    assert ids == sorted(set(ids))
    assert all(re.fullmatch(r"apr-[0-9A-Za-z]{26}", made) for made in ids)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", entropy.token())


def test_one_seed_gives_one_sequence():
    assert SeededEntropy("x").token() == SeededEntropy("x").token() != SeededEntropy("y").token()


def test_a_broken_log_keeps_nothing_and_says_so():
    audit = MemoryAudit()
    anyio.run(audit.commit, AuditRecord(event="intent"), AuditRecord(event="outcome"))
    audit.broken = True
    with pytest.raises(AuditUnavailable):
        anyio.run(audit.commit, AuditRecord(event="intent"))
    with pytest.raises(AuditUnavailable):
        audit.note(AuditRecord(event="intent"))
    assert [record.event for record in audit.records] == ["intent", "outcome"]


def test_a_scripted_client_answers_in_turn_and_then_not_at_all():
    forged = ElicitationAnswer(nonce="forged", approve=True)
    dialogue = ScriptedDialogue([True, None, forged])
    answers = [anyio.run(dialogue.ask, QUESTION) for _ in range(4)]
    assert answers == [ElicitationAnswer(nonce="n-1", approve=True), None, forged, None]
    assert dialogue.questions == [QUESTION] * 4


@pytest.mark.anyio
async def test_memory_sandboxes_keep_what_a_tool_sees_of_a_real_one():
    async def loud(running):
        await running.out(b"x" * 10)
        if running.command.env.get("HANG"):
            await anyio.sleep_forever()
        return 7

    heard = []

    async def on_output(stream, data):
        heard.append((stream, data))

    async with MemorySandboxes({"loud": loud}) as boxes, boxes.lease("s") as box:
        cut = await box.run(Command(argv=("loud",), output_limit=4), on_output)
        assert (cut.exit_code, cut.stdout, cut.stdout_truncated) == (7, b"xxxx", True)
        assert heard == [("stdout", b"x" * 10)]
        late = await box.run(Command(argv=("loud",), env={"HANG": "1"}, timeout=0.01))
        assert (late.timed_out, late.exit_code, late.signal) == (True, None, 9)
        assert (await box.run(Command(argv=("/bin/sh", "-c", "none")))).exit_code == 127
        started = await box.start(Command(argv=("loud",), env={"HANG": "1"}))
        assert (started.running, started.number) == (True, 1)
        assert (await box.kill(1)).result.signal == 9
        await box.write("/workspace/d/f", b"one")
        await box.write("/workspace/d/f", b"two", append=True)
        assert await box.read("/workspace/d/f", offset=1, limit=3) == (b"net", 6)
        assert [entry.name for entry in await box.list("/workspace")] == ["d"]
        box.files.put("/workspace/l", b"/workspace/d", kind="symlink")
        assert (await box.stat("/workspace/l")).kind == "symlink"
        for refused in (box.stat("/workspace/l/f"), box.write("/etc/x", b""), box.write("/workspace/l", b"")):
            with pytest.raises(ExecutionError):
                await refused
        await boxes.end("s")
        assert "/workspace/d/f" not in boxes.of("s").files.nodes
