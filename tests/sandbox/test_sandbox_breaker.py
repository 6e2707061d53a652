# SPDX-License-Identifier: Apache-2.0
import anyio
import pytest

from yett.errors import SandboxUnavailable
from yett.sandbox.breaker import Breaker, EngineSilent

pytestmark = pytest.mark.anyio

PAUSE = 0.05


@pytest.fixture
def anyio_backend():
    return "asyncio"


def fail(breaker, fault=EngineSilent):
    with pytest.raises(fault, match="no answer"), breaker.attempt():
        raise fault("no answer")


@pytest.fixture
async def opened():
    breaker = Breaker(PAUSE)
    fail(breaker)
    return breaker


async def test_a_refusal_is_an_answer_and_opens_nothing():
    breaker = Breaker(PAUSE)
    fail(breaker, SandboxUnavailable)
    assert breaker.state == "closed"


async def test_while_it_is_open_nothing_is_tried(opened):
    assert (opened.state, opened.passable) == ("open", False)
    with pytest.raises(EngineSilent, match="left alone"), opened.attempt():
        pytest.fail("it was tried")


async def test_after_the_pause_one_call_at_a_time_finds_out(opened):
    await anyio.sleep(PAUSE)
    assert opened.state == "half-open"
    with opened.attempt():
        assert not opened.passable
        with pytest.raises(EngineSilent, match="left alone"), opened.attempt():
            pytest.fail("a second one was tried")
    assert (opened.state, opened.passable) == ("closed", True)


async def test_a_probe_that_fails_opens_it_again(opened):
    await anyio.sleep(PAUSE)
    fail(opened)
    assert opened.state == "open"


async def test_a_probe_that_is_refused_closes_it(opened):
    await anyio.sleep(PAUSE)
    fail(opened, SandboxUnavailable)
    assert opened.state == "closed"


async def test_a_probe_that_is_cancelled_decides_nothing_and_the_next_one_does(opened):
    await anyio.sleep(PAUSE)
    with anyio.move_on_after(0):
        with opened.attempt():
            await anyio.sleep_forever()
    assert (opened.state, opened.passable) == ("half-open", True)
    with opened.attempt():
        pass
    assert opened.state == "closed"


async def test_a_call_from_before_does_not_close_it():
    breaker = Breaker(PAUSE)
    with breaker.attempt():
        fail(breaker)
    assert breaker.state == "open"
