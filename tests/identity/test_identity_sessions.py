# SPDX-License-Identifier: Apache-2.0
"""Sessions outlive connections, and so does what is known of them."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from yett.errors import BadRequest, EnvironmentFault, Unauthenticated
from yett.identity.sessions import SessionStopped

pytestmark = pytest.mark.anyio
UNTRUSTED = frozenset({"untrusted"})


async def opened(house, agent="research-1", user="kim"):
    return await house.sessions.continue_or_open(agent, user)


async def restarted(house):
    book = house.sessions_with()
    clean = await book.load()
    return book, clean


async def test_a_session_goes_on_within_the_idle_limit_and_not_at_it(house):
    one = await opened(house)
    house.clock.advance(1799)
    assert (await opened(house)).id == one.id
    house.clock.advance(1799)
    assert (await opened(house)).id == one.id
    house.clock.advance(1800)
    two = await opened(house)
    assert two.id != one.id
    assert house.ended == [one.id]


async def test_a_session_after_idling_inherits_lineage_and_labels(house):
    one = await opened(house)
    await house.sessions.label(one.id, UNTRUSTED)
    for _ in range(3):
        house.clock.advance(2000)
        latest = await opened(house)
    assert (latest.lineage, latest.labels) == (one.id, UNTRUSTED)


async def test_each_pair_of_agent_and_user_has_its_own_session(house):
    ids = {(await opened(house, agent, user)).id for agent in "ab" for user in ("kim", None)}
    assert len(ids) == 4


async def test_concurrent_first_calls_open_one_session(house):
    ids = []

    async def call():
        ids.append((await opened(house)).id)

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(call)
    assert len(set(ids)) == 1


async def test_a_label_is_durable_when_label_returns(house):
    one = await opened(house)
    await house.sessions.label(one.id, frozenset({"sensitive:PERSON"}))
    book, _ = await restarted(house)
    assert "sensitive:PERSON" in (await book.continue_or_open("research-1", "kim")).labels


async def test_a_label_that_could_not_be_written_is_written_by_the_next_try(house):
    one = await opened(house)
    house.store.fail_next = EnvironmentFault("disk full")
    with pytest.raises(EnvironmentFault):
        await house.sessions.label(one.id, UNTRUSTED)
    await house.sessions.label(one.id, UNTRUSTED)
    assert "untrusted" in str(await house.store.get("sessions", one.id))


async def test_concurrent_labels_are_all_kept(house):
    one = await opened(house)
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(house.sessions.label, one.id, frozenset({f"source:{number}"}))
    assert len((await opened(house)).labels) == 20


async def test_a_label_for_a_session_that_ended_meanwhile_reaches_its_successor(house):
    one = await opened(house)
    house.clock.advance(2000)
    two = await opened(house)
    await house.sessions.label(one.id, UNTRUSTED)
    assert (await opened(house)).labels == UNTRUSTED
    assert two.id != one.id


async def test_one_label_over_the_limit_is_refused(house):
    book = house.sessions_with(labels=2)
    one = await book.continue_or_open("a", None)
    await book.label(one.id, frozenset({"source:1", "source:2"}))
    with pytest.raises(BadRequest):
        await book.label(one.id, frozenset({"source:3"}))


async def test_a_label_for_an_unknown_session_is_refused(house):
    with pytest.raises(BadRequest):
        await house.sessions.label("ses-none", UNTRUSTED)


async def test_after_an_unclean_stop_every_open_session_is_untrusted(house):
    await opened(house)
    await house.sessions.end((await opened(house, "a", None)).id)
    book, clean = await restarted(house)
    assert not clean
    assert {r.agent: r.labels for r in book.list()} == {"research-1": UNTRUSTED, "a": frozenset()}
    third = house.sessions_with()
    await third.load()
    assert (await third.continue_or_open("research-1", "kim")).labels == UNTRUSTED


async def test_after_a_clean_stop_sessions_go_on_as_they_were(house):
    one = await opened(house)
    await house.sessions.close()
    book, clean = await restarted(house)
    assert clean
    two = await book.continue_or_open("research-1", "kim")
    assert (two.id, two.labels) == (one.id, frozenset())


async def test_a_clean_stop_vouches_for_one_start_only(house):
    await opened(house)
    await house.sessions.close()
    await restarted(house)
    _, clean = await restarted(house)
    assert not clean


async def test_the_first_start_of_all_is_clean(house):
    assert await house.sessions.load()


async def test_the_last_use_is_written_now_and_then_and_not_for_each_call(house):
    one = await opened(house)
    start = house.clock.now()
    house.clock.advance(29)
    await opened(house)
    assert (await house.store.get("sessions", one.id))["last_seen"] == start
    house.clock.advance(1)
    await opened(house)
    assert (await house.store.get("sessions", one.id))["last_seen"] == start + 30


async def test_ending_a_session_ends_what_belongs_to_it_and_the_next_call_opens_its_successor(house):
    one = await opened(house)
    await house.sessions.label(one.id, UNTRUSTED)
    await house.sessions.end(one.id)
    await house.sessions.end(one.id)
    assert house.ended == [one.id]
    two = await opened(house)
    assert (two.id != one.id, two.lineage, two.labels) == (True, one.id, UNTRUSTED)


async def test_a_killed_session_refuses_its_caller_until_it_is_released(house):
    one = await opened(house)
    await house.sessions.kill(one.id)
    assert house.ended == [one.id]
    for _ in range(2):
        with pytest.raises(SessionStopped) as caught:
            await opened(house)
    assert isinstance(caught.value, Unauthenticated)
    assert one.id not in caught.value.public()
    await opened(house, "research-2", None)
    await house.sessions.release(one.id)
    two = await opened(house)
    assert (two.id != one.id, two.lineage) == (True, one.id)


async def test_a_frozen_session_goes_on_after_release_and_keeps_what_belongs_to_it(house):
    one = await opened(house)
    await house.sessions.freeze(one.id)
    with pytest.raises(SessionStopped):
        await opened(house)
    await house.sessions.release(one.id)
    assert (await opened(house)).id == one.id
    assert house.ended == []


async def test_neither_idling_nor_ending_nor_a_restart_lifts_what_an_operator_stopped(house):
    one = await opened(house)
    await house.sessions.freeze(one.id)
    house.clock.advance(5000)
    assert await house.sessions.end_idle() == 0
    await house.sessions.end(one.id)
    with pytest.raises(SessionStopped):
        await opened(house)
    with pytest.raises(SessionStopped):
        await house.sessions.open_clean("research-1", "kim")
    book, _ = await restarted(house)
    with pytest.raises(SessionStopped):
        await book.continue_or_open("research-1", "kim")


async def test_only_a_stopped_session_is_released_and_only_a_live_one_frozen(house):
    one = await opened(house)
    with pytest.raises(BadRequest):
        await house.sessions.release(one.id)
    await house.sessions.freeze(one.id)
    with pytest.raises(BadRequest):
        await house.sessions.freeze(one.id)


async def test_a_person_can_open_a_clean_session(house):
    one = await opened(house)
    await house.sessions.label(one.id, UNTRUSTED)
    clean = await house.sessions.open_clean("research-1", "kim")
    assert (clean.labels, clean.lineage) == (frozenset(), clean.id)
    assert (await opened(house)).id == clean.id
    assert house.ended == [one.id]


async def test_a_result_still_on_its_way_taints_the_clean_session_that_will_read_it(house):
    one = await opened(house)
    await house.sessions.open_clean("research-1", "kim")
    await house.sessions.label(one.id, UNTRUSTED)
    assert (await opened(house)).labels == UNTRUSTED


async def test_idle_sessions_are_ended_without_a_call(house):
    one = await opened(house)
    house.clock.advance(1000)
    await opened(house, "a", None)
    house.clock.advance(800)
    assert await house.sessions.end_idle() == 1
    assert house.ended == [one.id]


async def test_a_teardown_that_hangs_holds_no_call_up(house):
    async def hang(session):
        await anyio.sleep(30)

    book = house.sessions_with(on_end=hang, end_deadline=0.02)
    one = await book.continue_or_open("a", None)
    house.clock.advance(2000)
    with anyio.fail_after(5):
        assert (await book.continue_or_open("a", None)).id != one.id


async def test_ended_sessions_beyond_the_history_go_but_never_the_last_of_a_caller(house):
    book = house.sessions_with(history=2)
    rare = await book.continue_or_open("rare", None)
    await book.label(rare.id, UNTRUSTED)
    await book.end(rare.id)
    for _ in range(6):
        await book.continue_or_open("busy", None)
        house.clock.advance(2000)
    assert len(book.list()) == 4
    assert len(await house.store.scan("sessions")) == 4
    assert (await book.continue_or_open("rare", None)).labels == UNTRUSTED


async def test_a_clock_set_back_does_not_keep_a_session_from_ending(house):
    one = await opened(house)
    house.clock.set_wall(house.clock.now() - 3600)
    assert (await opened(house)).id != one.id


async def test_a_clock_set_back_does_not_bring_an_older_session_back_at_a_restart(house):
    one = await opened(house)
    house.clock.set_wall(house.clock.now() - 3600)
    two = await opened(house)
    await house.sessions.label(two.id, UNTRUSTED)
    await house.sessions.close()
    book, _ = await restarted(house)
    assert (await book.continue_or_open("research-1", "kim")).id == two.id
    assert one.id != two.id


async def test_a_caller_who_goes_away_while_its_session_is_opened_leaves_no_second_one(house):
    caller = anyio.CancelScope()
    put = house.store.put

    async def put_and_lose_the_caller(collection, key, value):
        caller.cancel()
        await put(collection, key, value)
        await anyio.lowlevel.checkpoint()

    house.store.put = put_and_lose_the_caller
    with caller:
        await opened(house)
    house.store.put = put
    one = await opened(house)
    assert [key for key, _ in await house.store.scan("sessions")] == [one.id]


async def test_a_stored_session_that_is_damaged_stops_the_start(house):
    await house.store.put("sessions", "ses-1", {"id": "ses-1", "state": "live", "labels": []})
    with pytest.raises(EnvironmentFault):
        await house.sessions.load()
