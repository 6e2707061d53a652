# SPDX-License-Identifier: Apache-2.0
"""Law 5 for the sandbox: a container that is not as configured serves nobody."""

from contextlib import asynccontextmanager

import anyio
import pytest

from yett.errors import SandboxUnavailable
from yett.proving import RETRY_AFTER, SESSION, ProvenSandboxes
from yett.testing import FrozenClock

pytestmark = pytest.mark.anyio


class Boxes:
    """Sandboxes in memory: who leased, who ended, and what to raise."""

    def __init__(self):
        self.leased = []
        self.ended = []
        self.fault = None

    @asynccontextmanager
    async def lease(self, session, principal=None):
        if self.fault:
            raise self.fault
        self.leased.append(session)
        yield session

    async def end(self, session):
        self.ended.append(session)


def proven(found=(), clock=None, wait=None):
    boxes = Boxes()
    looks = []

    async def look(box):
        looks.append(box)
        if wait is not None:
            await wait.wait()
        return tuple(found)

    return ProvenSandboxes(boxes, look, clock or FrozenClock(), deadline=0.2), boxes, looks


async def test_the_first_call_waits_for_one_look_and_the_rest_do_not_look_again():
    sandboxes, boxes, looks = proven()
    for session in ("a", "b"):
        async with sandboxes.lease(session) as box:
            assert box == session
    assert boxes.leased == [SESSION, "a", "b"]
    assert boxes.ended == [SESSION]
    assert looks == [SESSION]


async def test_a_control_that_is_not_in_place_refuses_every_call_and_is_named():
    sandboxes, boxes, _ = proven(["seccomp filter is 0, not 2"])
    for _ in range(2):
        with pytest.raises(SandboxUnavailable, match="seccomp filter is 0, not 2"):
            async with sandboxes.lease("a"):
                pass
    assert boxes.leased == [SESSION]


async def test_an_engine_that_comes_back_is_looked_at_again_after_a_while():
    clock = FrozenClock()
    sandboxes, boxes, _ = proven(clock=clock)
    boxes.fault = SandboxUnavailable("no engine")
    with pytest.raises(SandboxUnavailable, match="no engine"):
        async with sandboxes.lease("a"):
            pass
    boxes.fault = None
    with pytest.raises(SandboxUnavailable):
        async with sandboxes.lease("a"):
            pass
    clock.advance(RETRY_AFTER)
    async with sandboxes.lease("a") as box:
        assert box == "a"


async def test_a_look_that_does_not_end_holds_no_call_for_ever():
    sandboxes, _, _ = proven(wait=anyio.Event())
    with pytest.raises(SandboxUnavailable, match="did not end in time"):
        async with sandboxes.lease("a"):
            pass
