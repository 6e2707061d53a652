# SPDX-License-Identifier: Apache-2.0
"""What every `Store` promises, run against each of them."""

from __future__ import annotations

import anyio
import pytest

from yett.action import canonical_json
from yett.errors import BadRequest

pytestmark = pytest.mark.anyio


async def test_what_was_put_is_got_back(store):
    value = {"a": [1, 2.5, None, True, "é\u202e"], "b": {"c": ""}}
    await store.put("things", "k", value)
    assert await store.get("things", "k") == value


async def test_a_key_that_is_not_unicode_is_refused(store):
    with pytest.raises(BadRequest):
        await store.get("things", "\ud800")
    with pytest.raises(BadRequest):
        await store.swap("things", "\ud800", None, {})


async def test_a_missing_document_is_none(store):
    assert await store.get("things", "k") is None


async def test_collections_do_not_see_each_other(store):
    await store.put("a", "k", {"n": 1})
    assert await store.get("b", "k") is None
    assert await store.scan("b") == ()


async def test_a_put_replaces_what_was_there(store):
    await store.put("a", "k", {"n": 1})
    await store.put("a", "k", {"n": 2})
    assert await store.get("a", "k") == {"n": 2}


async def test_changing_a_got_document_does_not_change_the_store(store):
    await store.put("a", "k", {"n": [1]})
    got = await store.get("a", "k")
    got["n"].append(2)
    assert await store.get("a", "k") == {"n": [1]}


async def test_a_swap_from_nothing_creates_only_once(store):
    assert await store.swap("a", "k", None, {"n": 1})
    assert not await store.swap("a", "k", None, {"n": 2})
    assert await store.get("a", "k") == {"n": 1}


async def test_a_swap_from_a_stale_value_changes_nothing(store):
    await store.put("a", "k", {"n": 1})
    assert not await store.swap("a", "k", {"n": 0}, {"n": 2})
    assert await store.get("a", "k") == {"n": 1}


async def test_a_swap_ignores_the_order_of_keys(store):
    await store.put("a", "k", {"x": 1, "y": 2})
    assert await store.swap("a", "k", {"y": 2, "x": 1}, {"z": 3})


async def test_a_swap_tells_an_integer_from_a_float(store):
    await store.put("a", "k", {"n": 1})
    assert not await store.swap("a", "k", {"n": 1.0}, {"n": 2})


async def test_a_swap_to_none_deletes(store):
    await store.put("a", "k", {"n": 1})
    assert await store.swap("a", "k", {"n": 1}, None)
    assert await store.get("a", "k") is None
    assert await store.swap("a", "k", None, None)


async def test_a_scan_is_by_key(store):
    for key in ("b", "a", "B", "é", "a1"):
        await store.put("a", key, {"key": key})
    assert [key for key, _ in await store.scan("a")] == ["B", "a", "a1", "b", "é"]


async def test_exactly_one_of_many_concurrent_swaps_wins(store):
    await store.put("a", "k", {"n": 0})
    won = []

    async def contend(number):
        if await store.swap("a", "k", {"n": 0}, {"n": number}):
            won.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(1, 51):
            tasks.start_soon(contend, number)
    assert len(won) == 1
    assert canonical_json(await store.get("a", "k")) == canonical_json({"n": won[0]})
