# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.errors import ExecutionError
from yett.sandbox.waiting import FairQueue, Waiter


@pytest.fixture
def anyio_backend():
    return "asyncio"


pytestmark = pytest.mark.anyio


def much(_):
    return 99


def fill(queue, *keys):
    waiters = [Waiter(key=key) for key in keys]
    assert [queue.push(w) for w in waiters] == [None] * len(keys)
    return waiters


def drain(queue, room=much):
    order = []
    while (waiter := queue.pop(room)) is not None:
        order.append(waiter)
    return order


async def test_an_agent_with_fifty_waiting_calls_does_not_starve_one_with_one():
    queue = FairQueue(64)
    fill(queue, *["crowd"] * 50, "lone")
    assert [w.key for w in drain(queue)][:3] == ["crowd", "lone", "crowd"]


async def test_within_an_agent_who_came_first_is_served_first():
    queue = FairQueue(8)
    waiters = fill(queue, "a", "a", "b", "a", "b")
    a, b = ([w for w in waiters if w.key == key] for key in "ab")
    order = drain(queue)
    assert [w for w in order if w.key == "a"] == a
    assert [w for w in order if w.key == "b"] == b


async def test_an_agent_that_may_have_no_more_is_passed_over_and_keeps_its_place():
    queue = FairQueue(8)
    first, second = fill(queue, "a", "b")

    def none_for_a(key):
        return 0 if key == "a" else 1

    assert queue.servable(none_for_a) == 1
    assert queue.pop(none_for_a) is second
    assert queue.pop(none_for_a) is None
    assert queue.pop(much) is first


async def test_the_first_call_over_the_limit_is_sent_away():
    queue = FairQueue(2)
    fill(queue, "a", "b")
    third = Waiter(key="c")
    assert queue.push(third) is third
    assert len(queue) == 2


async def test_a_full_queue_takes_the_place_of_whom_the_longest_line_let_in_last():
    queue = FairQueue(3)
    waiters = fill(queue, "crowd", "crowd", "crowd")
    lone = Waiter(key="lone")
    assert queue.push(lone) is waiters[-1]
    assert drain(queue) == [waiters[0], lone, waiters[1]]


async def test_sending_everybody_away_tells_each():
    queue = FairQueue(3)
    waiters = fill(queue, "a", "a", "b")
    fault = ExecutionError("over")
    queue.clear(fault)
    assert [w.fault for w in waiters] == [fault] * 3
    assert all(w.settled.is_set() for w in waiters)
    assert len(queue) == 0


@given(
    most=st.integers(1, 6),
    steps=st.lists(st.tuples(st.sampled_from(["push", "pop", "leave"]), st.sampled_from("abc"))),
)
async def test_nobody_is_lost_and_nobody_is_served_twice(most, steps):
    queue = FairQueue(most)
    inside: list[Waiter] = []
    for step, key in steps:
        if step == "push":
            waiter = Waiter(key=key)
            gone = queue.push(waiter)
            inside.append(waiter)
            if gone is not None:
                inside.remove(gone)
        elif step == "pop":
            served = queue.pop(much)
            assert (served is None) == (not inside)
            if served is not None:
                assert served is next(w for w in inside if w.key == served.key)
                inside.remove(served)
        elif inside:
            queue.discard(inside[0])
            queue.discard(inside.pop(0))
        assert len(queue) == len(inside) == queue.servable(much) <= most
        assert {key: queue.of(key) for key in "abc"} == {
            key: sum(w.key == key for w in inside) for key in "abc"
        }
