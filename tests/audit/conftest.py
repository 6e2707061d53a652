# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from audit_samples import RealClock

from yett.audit.log import AuditLog
from yett.audit.settings import AuditSettings


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> RealClock:
    return RealClock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def make_log(folder: Path, clock: RealClock):
    """Builds logs on `folder` and closes what a test left open."""
    made: list[AuditLog] = []

    def make(place: Path = folder, **settings: float) -> AuditLog:
        log = AuditLog(place, AuditSettings(**{"retry_interval": 0.01, **settings}), clock)
        made.append(log)
        return log

    yield make
    for log in made:
        log.close()
