# SPDX-License-Identifier: Apache-2.0
"""Somebody with the disk and without the key edits the log and hashes it again, then restarts the gate."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import anyio
import pytest

from yett.action import AuditRecord, canonical_json
from yett.audit.log import AuditLog
from yett.audit.settings import AuditSettings
from yett.audit.verify import verify
from yett.errors import AuditUnavailable


class Clock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


def rechain(lines: list[bytes]) -> bytes:
    previous, done = "0" * 64, []
    for line in lines:
        record = json.loads(line)
        own = record["unmapped"]["yett"]
        del own["hash"]
        own["prev"] = previous
        own["hash"] = previous = hashlib.sha256(canonical_json(record)).hexdigest()
        done.append(canonical_json(record) + b"\n")
    return b"".join(done)


@pytest.fixture
def log(tmp_path) -> Path:
    async def main() -> None:
        with AuditLog(tmp_path / "audit", AuditSettings(), Clock()) as audit:
            for number in range(5):
                await audit.commit(
                    AuditRecord(event="refusal", action=f"act-{number}", fields={"rule": "never-drop"})
                )

    anyio.run(main)
    return tmp_path / "audit"


@pytest.mark.parametrize(
    "edit",
    [
        lambda lines: [line.replace(b"never-drop", b"drop-okay-") for line in lines],
        lambda lines: lines[:-2],
        lambda lines: [*lines[:2], *lines[3:]],
    ],
)
def test_a_rewritten_log_neither_verifies_nor_is_continued(log, edit):
    (segment,) = log.glob("*.jsonl")
    segment.write_bytes(rechain(edit(segment.read_bytes().splitlines())))
    assert not verify(log).ok
    with pytest.raises(AuditUnavailable):
        AuditLog(log, AuditSettings(), Clock()).open()
