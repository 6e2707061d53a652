# SPDX-License-Identifier: Apache-2.0
"""A real clock and records, for the tests of this folder."""

from __future__ import annotations

import time
from pathlib import Path

from yett.action import AuditRecord
from yett.audit.tail import tail


class RealClock:
    """The machine's clock; `offset` moves the wall clock."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        return time.time() + self.offset

    def monotonic(self) -> float:
        return time.monotonic()


def intent(action: str, **fields: object) -> AuditRecord:
    return AuditRecord(event="intent", action=action, fields={"tool": "shell_run", "agent": "a1", **fields})


def outcome(action: str, status: str = "ok") -> AuditRecord:
    return AuditRecord(event="outcome", action=action, fields={"status": status})


def own(record):
    return record["unmapped"]["yett"]


def actions(folder: Path, event: str = "intent") -> list[str]:
    return [own(r)["action"] for r in tail(folder, 1_000_000) if own(r)["event"] == event]
