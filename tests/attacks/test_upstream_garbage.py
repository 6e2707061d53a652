# SPDX-License-Identifier: Apache-2.0
"""An upstream that sends anything but MCP: it fails its own calls and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "upstreams"))
from upstream_calls import call_to, eventually, hostile, limits

from yett.errors import ExecutionTimeout, UpstreamError
from yett.upstreams.upstreams import Upstreams


def call(how, **fields):
    async def run():
        async with Upstreams([hostile(how)], limits(**fields)).running() as upstreams:
            return await upstreams.run(call_to(upstreams, "bad__tool", deadline=2.0))

    return anyio.run(run)


def failure_of(error):
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@pytest.mark.parametrize(
    "how",
    [
"result-content-text", "result-unknown-block", "result-block-without-text",
        "result-structured-list", "result-task", "result-many-blocks", "result-large", "result-huge",
        "dies", "half", "endless-line", "garbage-answer",
    ],
)  # fmt: skip
def test_an_answer_that_is_no_result_is_an_upstream_error(how):
    with pytest.raises(ExceptionGroup) as caught:
        call(how)
    assert isinstance(failure_of(caught.value), UpstreamError)


@pytest.mark.parametrize("how", ["wrong-id", "silent-call", "result-text"])
def test_no_answer_is_a_timeout(how):
    with pytest.raises(ExceptionGroup) as caught:
        call(how)
    assert isinstance(failure_of(caught.value), ExecutionTimeout)


def test_unknown_fields_of_a_result_do_not_pass():
    result = call("result-extra")
    assert result.content == ({"type": "text", "text": "ok"},)
    assert result.meta == {}
    assert result.is_error is False


def test_a_server_that_asks_for_a_password_gets_an_error():
    answer = call("asks").content[0]["text"]
    assert '"error"' in answer
    assert "accept" not in answer


def test_the_upstream_s_own_regex_is_never_run_on_its_answer():
    async def run():
        async with Upstreams([hostile("regex")], limits()).running() as upstreams:
            with anyio.fail_after(5):
                return await upstreams.run(call_to(upstreams, "bad__tool"))

    assert anyio.run(run).structured == {"a": "a" * 40 + "!"}


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ("garbage", ""),
        ("silent", "did not connect"),
        ("exits", "goodbye [31mred"),
        ("twice", "bad__a twice"),
        ("many", "more than 20 tools"),
        ("endless-pages", "more than 3 pages"),
        ("list-garbage", ""),
        ("list-array", ""),
    ],
)
def test_an_upstream_that_can_not_be_listed_serves_nothing_and_holds_up_nobody(how, problem):
    async def run():
        upstreams = Upstreams(
            [hostile(how), hostile("plain", "good")], limits(connect_timeout=3.0, tools=20, pages=3)
        )
        async with upstreams.running():
            result = await upstreams.run(call_to(upstreams, "good__tool"))
            assert not result.is_error
            assert upstreams.connected() == {"good"}
            assert [tool.name for tool in upstreams.tools()] == ["good__tool"]
            assert problem in upstreams.problems()["bad"][0]

    anyio.run(run)


@pytest.mark.parametrize(
    ("how", "at_the_limit", "one_more"),
    [
        ("many", {"tools": 30}, {"tools": 29}),
        ("many", {"listing_bytes": 2000}, {"listing_bytes": 1000}),
        ("one-junk-line", {"garbage_lines": 1}, {"garbage_lines": 0}),
        ("plain", {"message_bytes": 300}, {"message_bytes": 40}),
    ],
)
def test_a_list_at_the_limit_is_served_and_one_over_it_is_not(how, at_the_limit, one_more):
    async def served(fields):
        async with Upstreams([hostile(how)], limits(**fields)).running() as upstreams:
            return bool(upstreams.tools())

    assert anyio.run(served, at_the_limit)
    assert not anyio.run(served, one_more)


def test_a_hung_upstream_holds_up_nobody():
    async def run():
        async with (
            Upstreams([hostile("silent-call"), hostile("plain", "good")], limits()).running() as upstreams,
            anyio.create_task_group() as tasks,
        ):

            async def hang():
                with pytest.raises(ExecutionTimeout):
                    await upstreams.run(call_to(upstreams, "bad__tool", deadline=1.0))

            tasks.start_soon(hang)
            with anyio.fail_after(0.9):
                await upstreams.run(call_to(upstreams, "good__tool"))

    anyio.run(run)


def test_an_upstream_that_went_silent_is_started_again():
    async def run():
        async with Upstreams([hostile("freezes")], limits()).running() as upstreams:
            with pytest.raises(ExecutionTimeout):
                await upstreams.run(call_to(upstreams, "bad__tool", deadline=0.3))
            await eventually(lambda: not upstreams.connected())
            await eventually(upstreams.connected)

    anyio.run(run)


def test_a_flood_of_change_notices_does_not_become_a_flood_of_lists():
    async def run():
        changes = []
        upstreams = Upstreams([hostile("flood")], limits(), on_change=lambda: changes.append(1))
        async with upstreams.running():
            with anyio.fail_after(10):
                result = await upstreams.run(call_to(upstreams, "bad__tool"))
            assert not result.is_error
            assert changes == []

    anyio.run(run)


def test_a_program_that_ignores_every_word_is_killed():
    async def run():
        with anyio.fail_after(20):
            async with Upstreams([hostile("stubborn")], limits()).running() as upstreams:
                await eventually(upstreams.connected)

    anyio.run(run)
