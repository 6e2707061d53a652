# SPDX-License-Identifier: Apache-2.0
"""One asyncio backend, and each store that claims the port's promises."""

from __future__ import annotations

import pytest

from yett.store.sqlite import SqliteStore
from yett.testing import MemoryStore


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(params=["sqlite", "memory"])
async def store(request, tmp_path, anyio_backend):
    if request.param == "memory":
        yield MemoryStore()
        return
    async with SqliteStore(tmp_path / "state.db") as opened:
        yield opened
