# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from upstream_calls import call_to, eventually, honest, honest_over_http, limits

from yett.action import UNTRUSTED, Secret
from yett.errors import ConfigurationError, ExecutionTimeout, UpstreamError
from yett.upstreams.settings import UpstreamSpec
from yett.upstreams.upstreams import Upstreams

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["stdio auto", "stdio legacy", "http auto", "http legacy"])
def spec(request):
    transport, mode = request.param.split()
    if transport == "stdio":
        yield honest(mode=mode)
    else:
        with honest_over_http() as (port, _):
            yield UpstreamSpec(name="up", url=f"http://127.0.0.1:{port}/mcp", mode=mode)


async def test_tools_are_listed_called_and_labelled(spec):
    async with Upstreams([spec], limits()).running() as upstreams:
        assert upstreams.problems() == {}
        tools = {tool.name: tool for tool in upstreams.tools()}
        assert len(tools) == 11
        assert list(tools) == sorted(tools)
        assert "up__get_x2e_weather" in tools
        echo = tools["up__echo"]
        assert (echo.origin, echo.target) == ("up", "upstream:up")
        assert echo.result_labels == {UNTRUSTED}
        assert tools["up__structured"].annotations == {"readOnlyHint": True}
        result = await upstreams.run(call_to(upstreams, "up__echo", {"text": "hi"}))
        assert result.content[0]["text"].startswith("hi meta=")
        assert "progressToken" not in result.content[0]["text"]
        assert result.labels == {UNTRUSTED}
        assert result.meta == {}
        result = await upstreams.run(call_to(upstreams, "up__get_x2e_weather"))
        assert result.content[0]["text"].startswith("ok")
        result = await upstreams.run(call_to(upstreams, "up__structured"))
        assert result.structured == {"n": 1}


async def test_the_arguments_that_were_decided_on_are_the_ones_that_arrive(spec):
    arguments = {"n": None, "deep": {"none": None, "list": [None, 1.5, "é\u200b"]}, "progressToken": 1}
    async with Upstreams([spec], limits()).running() as upstreams:
        result = await upstreams.run(call_to(upstreams, "up__structured", arguments))
    assert result.structured == arguments


async def test_a_call_over_the_limit_in_flight_waits_and_ends_at_its_deadline():
    async with (
        Upstreams([honest()], limits(in_flight=1)).running() as upstreams,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(upstreams.run, call_to(upstreams, "up__sleep"))
        await anyio.sleep(0.1)
        with pytest.raises(ExecutionTimeout):
            await upstreams.run(call_to(upstreams, "up__echo", deadline=0.5))
        tasks.cancel_scope.cancel()


async def test_an_error_answer_is_a_labelled_result(spec):
    async with Upstreams([spec], limits()).running() as upstreams:
        result = await upstreams.run(call_to(upstreams, "up__fail"))
    assert result.is_error
    assert "no luck" in result.content[0]["text"]
    assert result.labels == {UNTRUSTED}


async def test_a_call_ends_at_its_deadline_and_is_cancelled_at_the_upstream(spec):
    async with Upstreams([spec], limits()).running() as upstreams:
        with pytest.raises(ExecutionTimeout):
            await upstreams.run(call_to(upstreams, "up__sleep", deadline=0.3))
        with anyio.move_on_after(0.3):
            await upstreams.run(call_to(upstreams, "up__sleep"))
        with anyio.fail_after(10):
            while True:
                seen = await upstreams.run(call_to(upstreams, "up__cancelled"))
                if seen.content[0]["text"] == "2":
                    break
                await anyio.sleep(0.05)


async def test_a_new_tool_is_served_and_a_changed_one_is_withheld(spec):
    changes = []
    upstreams = Upstreams([spec], limits(), on_change=lambda: changes.append(1))
    async with upstreams.running():
        echo = call_to(upstreams, "up__echo")
        await anyio.sleep(0.3)  # a modern upstream takes the subscription a moment after the list
        await upstreams.run(call_to(upstreams, "up__grow"))
        await eventually(lambda: any(tool.name == "up__new" for tool in upstreams.tools()))
        assert changes
        await upstreams.run(call_to(upstreams, "up__change"))
        await eventually(lambda: all(tool.name != "up__echo" for tool in upstreams.tools()))
        assert "withheld" in upstreams.problems()["up"][0]
        with pytest.raises(UpstreamError, match="withheld"):
            await upstreams.run(echo)


async def test_a_question_of_the_upstream_is_refused():
    async with Upstreams([honest()], limits()).running() as upstreams:
        with pytest.raises(UpstreamError, match="asks for input"):
            await upstreams.run(call_to(upstreams, "up__ask"))


async def test_a_program_gets_only_the_environment_it_was_given(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
    spec = honest(env={"TOKEN": Secret("t"), "MODE": "x"})
    async with Upstreams([spec], limits()).running() as upstreams:
        result = await upstreams.run(call_to(upstreams, "up__env"))
    assert set(result.content[0]["text"].split("\n")) <= {"LANG", "MODE", "PATH", "TOKEN", "LC_CTYPE"}
    assert "TOKEN" in result.content[0]["text"]


async def test_a_program_that_died_is_started_again_and_its_tools_stay_listed():
    async with Upstreams([honest()], limits()).running() as upstreams:
        with pytest.raises(UpstreamError, match="broke off"):
            await upstreams.run(call_to(upstreams, "up__die"))
        assert len(upstreams.tools()) == 11
        await eventually(lambda: not upstreams.connected())
        with pytest.raises(UpstreamError, match="not connected"):
            await upstreams.run(call_to(upstreams, "up__echo"))
        await eventually(upstreams.connected)
        assert not (await upstreams.run(call_to(upstreams, "up__echo"))).is_error


async def test_a_lost_http_upstream_fails_calls_and_comes_back():
    with honest_over_http() as (port, process):
        spec = UpstreamSpec(name="up", url=f"http://127.0.0.1:{port}/mcp")
        async with Upstreams([spec], limits()).running() as upstreams:
            process.kill()
            process.wait()
            with pytest.raises(UpstreamError):
                await upstreams.run(call_to(upstreams, "up__echo"))
            await eventually(lambda: not upstreams.connected())
            assert len(upstreams.tools()) == 11


async def test_a_program_that_does_not_exist_is_a_problem_and_holds_up_nobody():
    absent = UpstreamSpec(name="absent", command=("/does/not/exist",))
    async with Upstreams([absent, honest()], limits()).running() as upstreams:
        assert upstreams.connected() == {"up"}
        assert "/does/not/exist" in upstreams.problems()["absent"][0]


async def test_two_upstreams_that_serve_one_name_fail_the_start():
    with pytest.raises(ConfigurationError, match="both serve"):
        async with Upstreams([honest(prefix=""), honest("two", prefix="")], limits()).running():
            pass


async def test_no_program_is_left_after_the_end():
    spec = honest(env={"MARK": "yett-left-over-test"})
    async with Upstreams([spec], limits()).running() as upstreams:
        assert upstreams.connected()
        assert _marked()
    assert not _marked()


def _marked():
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if b"yett-left-over-test" in environ.read_bytes():
                found.append(environ.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    "spec",
    [
        UpstreamSpec(name="a__b", url="http://127.0.0.1/"),
        UpstreamSpec(name="a_", url="http://127.0.0.1/"),
        UpstreamSpec(name="A", url="http://127.0.0.1/"),
        UpstreamSpec(name="a" * 33, url="http://127.0.0.1/"),
        UpstreamSpec(name="a"),
        UpstreamSpec(name="a", url="http://127.0.0.1/", command=("x",)),
        UpstreamSpec(name="a", url="ftp://127.0.0.1/"),
        UpstreamSpec(name="a", url="http://user:pw@127.0.0.1/"),
        UpstreamSpec(name="a", url="http://[oops/"),
        UpstreamSpec(name="a", url="http://acme.test/", credentials=Secret("x")),
        UpstreamSpec(name="a", command=("x",), credentials=Secret("x")),
        UpstreamSpec(name="a", command=("x",), cwd="here"),
    ],
)
async def test_an_upstream_that_can_not_be_reached_as_written_fails_at_start(spec):
    with pytest.raises(ConfigurationError):
        Upstreams([spec])
