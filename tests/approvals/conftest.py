# SPDX-License-Identifier: Apache-2.0
"""One asyncio backend, and a desk: the approvals room with its neighbours in memory."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from yett.approvals.approvals import Approvals
from yett.approvals.settings import ApprovalSettings
from yett.testing import FrozenClock, MemoryNotify, MemoryStore, SeededEntropy


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def desk():
    """`desk.approvals` with its clock, store, notes and log; `desk.make(**settings)` for another one."""
    desk = SimpleNamespace(
        clock=FrozenClock(),
        store=MemoryStore(),
        entropy=SeededEntropy(),
        notify=MemoryNotify(),
        log=[],
        log_error=None,
    )

    async def on_transition(record, previous, by):
        if desk.log_error is not None:
            raise desk.log_error
        desk.log.append((previous, record.state, by))

    def make(on_transition=on_transition, **settings):
        return Approvals(
            store=desk.store,
            clock=desk.clock,
            entropy=desk.entropy,
            notify=desk.notify,
            settings=ApprovalSettings(**settings),
            on_transition=on_transition,
        )

    desk.make = make
    desk.approvals = make()
    return desk
