# SPDX-License-Identifier: Apache-2.0
"""Numbers of the audit log and the pattern stage, each beside its yardstick in one run.

PYTHONPATH=src python benchmarks/privacy_audit.py
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import anyio

from yett.action import AuditRecord
from yett.audit.log import AuditLog
from yett.audit.settings import AuditSettings
from yett.audit.verify import verify
from yett.privacy.patterns import PatternDetector
from yett.privacy.presidio import PresidioDetector


class Clock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


def record(number: int) -> AuditRecord:
    fields = {
        "tool": "shell_run",
        "agent": "research-1",
        "session": "s-1",
        "rule": "run-shell",
        "arguments": {"command": "ls -la /workspace"},
    }
    return AuditRecord(
        event="intent" if number % 2 else "outcome", action=f"act-{number // 2}", fields=fields
    )


def ms(values: list[float]) -> str:
    values = sorted(values)
    return (
        f"p50 {statistics.median(values) * 1000:.3f} ms, p95 {values[int(len(values) * 0.95)] * 1000:.3f} ms"
    )


async def commits(folder: Path, rounds: int = 300) -> None:
    line = b"x" * 900 + b"\n"
    bare, ours = [], []
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    with AuditLog(folder / "audit", AuditSettings(), Clock()) as log:
        for number in range(rounds):  # in turn, so that both see the same disk
            start = time.perf_counter()
            os.write(descriptor, line)
            os.fdatasync(descriptor)
            bare.append(time.perf_counter() - start)
            start = time.perf_counter()
            await log.commit(record(number))
            ours.append(time.perf_counter() - start)
        os.close(descriptor)
        print(f"write + fdatasync, bare: {ms(bare)}")
        print(
            f"commit, one caller:      {ms(ours)}  (ratio of p50 {statistics.median(ours) / statistics.median(bare):.2f})"
        )
        for callers in (8, 32):
            latencies: list[float] = []

            async def caller(latencies: list[float] = latencies) -> None:
                for number in range(50):
                    start = time.perf_counter()
                    await log.commit(record(number))
                    latencies.append(time.perf_counter() - start)

            start = time.perf_counter()
            async with anyio.create_task_group() as group:
                for _ in range(callers):
                    group.start_soon(caller)
            print(
                f"commit, {callers} callers: {len(latencies) / (time.perf_counter() - start):,.0f} records/s, {ms(latencies)}"
            )
        for number in range(100_000):
            try:
                log.note(record(number))
            except Exception:
                await log.commit(record(number))


def verification(folder: Path) -> None:
    start = time.perf_counter()
    report = verify(folder / "audit")
    seconds = time.perf_counter() - start
    size = sum(path.stat().st_size for path in (folder / "audit").glob("*.jsonl"))
    print(
        f"verify: ok={report.ok}, {report.records:,} records ({size >> 20} MiB) in {seconds:.2f} s = {report.records / seconds:,.0f} records/s"
    )


def texts() -> dict[str, str]:
    prose = "Meet Jane (jane.doe@corp.io) at 10 and pay with 4111 1111 1111 1111, or call +1 415 555 2671. Nothing else in this sentence is private, it only goes on. "
    rows = [
        {
            "id": f"550e8400-e29b-41d4-a716-4466554{i:05}",
            "email": f"user{i}@example.com",
            "amount": i * 1.5,
            "at": "2024-01-02T03:04:05Z",
            "note": "paid",
        }
        for i in range(9_000)
    ]
    data = json.dumps(rows)
    return {
        f"{kind} {name}": (source * (size // len(source) + 1))[:size]
        for kind, source in (("prose", prose), ("JSON", data))
        for name, size in (("1 KB", 1_000), ("10 KB", 10_000), ("1 MB", 1_000_000))
    }


def detectors() -> None:
    ours, presidio = PatternDetector(), PresidioDetector()
    for name, text in texts().items():
        rounds = 1 if len(text) > 100_000 else 15
        took: dict[str, float] = {}
        for label, detector in (("patterns", ours), ("presidio", presidio)):
            detector.find(text[:1_000], "")
            times = []
            for _ in range(rounds):
                start = time.perf_counter()
                found = detector.find(text, "")
                times.append(time.perf_counter() - start)
            took[label] = statistics.median(times)
            print(f"{name}, {label}: {took[label] * 1000:.2f} ms, {len(found)} found")
        print(f"{name}: patterns are {took['presidio'] / took['patterns']:.0f} times as fast")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as place:
        anyio.run(commits, Path(place))
        verification(Path(place))
    detectors()
