# SPDX-License-Identifier: Apache-2.0
"""Background programs and kept output, over sandboxes in memory."""

import sys
from pathlib import Path

import anyio
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.errors import ConfigurationError, ExecutionError
from yett.testing import MemorySandboxes
from yett.tools.outputs import KeptOutputs
from yett.tools.pieces import both_ends
from yett.tools.settings import OutputLimits, ShellLimits
from yett.tools.shell_output import ShellOutput
from yett.tools.shell_programs import ShellKill, ShellWait
from yett.tools.shell_run import ShellRun

sys.path.insert(0, str(Path(__file__).parent))

import anyio.lowlevel
from tool_calls import authorized, done, text_of

pytestmark = pytest.mark.anyio


class Shell:
    """The four tools over one set of sandboxes, with programs that a test lets go."""

    def __init__(self, **limits):
        self.go = anyio.Event()
        self.boxes = MemorySandboxes({"serve": self.serve, "flood": self.flood, "quick": self.quick})
        self.outputs = KeptOutputs()
        self.limits = ShellLimits(**limits)

    async def serve(self, running):
        await running.out(b"ready\n")
        await self.go.wait()
        await running.out(b"done\n")
        return 3

    async def flood(self, running):
        await running.out(b"".join(b"line %d\n" % n for n in range(1000)))
        await self.go.wait()
        return 0

    async def quick(self, running):
        await running.out(b"quick\n")
        return 0

    def tool(self, make):
        return make(self.boxes, self.outputs, self.limits)

    async def call(self, make, session="s-1", **arguments):
        tool = self.tool(make) if make is not ShellOutput else ShellOutput(self.outputs, self.limits)
        result = await done(tool, session=session, **arguments)
        jsonschema.validate(result.structured, tool.definition.output_schema)
        return result


async def test_a_background_program_is_started_waited_for_and_ends():
    shell = Shell()
    async with shell.boxes:
        started = await shell.call(ShellRun, command="serve --port 80", background=True)
        assert started.structured["background"] == 1
        await anyio.lowlevel.checkpoint()
        still = await shell.call(ShellWait, program=1, timeout=0)
        assert text_of(still).startswith("ready\n[program 1 is running, for ")
        assert (still.structured["running"], still.structured["exit_code"]) == (True, None)
        listed = await shell.call(ShellWait)
        assert text_of(listed).split() == ["1", "running", "0.0", "s", "serve", "--port", "80"]
        assert [row["program"] for row in listed.structured["programs"]] == [1]
        shell.go.set()
        ended = await shell.call(ShellWait, program=1)
        assert text_of(ended) == "ready\ndone\n[exit code 3]"
        assert (ended.structured["running"], ended.structured["exit_code"], ended.is_error) == (
            False,
            3,
            False,
        )


async def test_a_wait_that_is_over_before_the_program_is_says_how_it_stands():
    shell = Shell(timeout=0.05)
    async with shell.boxes:
        await shell.call(ShellRun, command="serve", background=True)
        assert (await shell.call(ShellWait, program=1)).structured["running"] is True


async def test_while_one_call_waits_another_one_of_the_session_runs():
    shell = Shell()
    async with shell.boxes, anyio.create_task_group() as tasks:
        await shell.call(ShellRun, command="serve", background=True)
        tasks.start_soon(lambda: shell.call(ShellWait, program=1, timeout=30))
        await anyio.sleep(0.01)
        with anyio.fail_after(20):
            assert text_of(await shell.call(ShellRun, command="quick")) == "quick"
        shell.go.set()


async def test_a_killed_program_is_told_as_killed_and_is_no_error():
    shell = Shell()
    async with shell.boxes:
        await shell.call(ShellRun, command="serve", background=True)
        await anyio.lowlevel.checkpoint()
        killed = await shell.call(ShellKill, program=1)
        assert text_of(killed) == "ready\n[program 1 and all it started were killed]"
        assert killed.structured["sandbox"]["killed"] is True
        assert (killed.is_error, killed.structured["running"]) == (False, False)
        assert "[ended by signal 9" in text_of(await shell.call(ShellWait, program=1))


@pytest.mark.parametrize("make", [ShellWait, ShellKill])
async def test_a_program_of_another_session_is_not_there(make):
    shell = Shell()
    async with shell.boxes:
        await shell.call(ShellRun, command="serve", background=True)
        with pytest.raises(ExecutionError, match="no background program 1"):
            await shell.call(make, session="s-2", program=1)
        assert (
            text_of(await shell.call(ShellWait, session="s-2")) == "This session has no background programs."
        )


async def test_a_program_that_is_too_many_is_refused_in_words():
    shell = Shell()
    async with shell.boxes:
        for _ in range(8):
            await shell.call(ShellRun, command="serve", background=True)
        with pytest.raises(ExecutionError, match="At most 8 background programs"):
            await shell.call(ShellRun, command="serve", background=True)


async def test_new_output_of_a_waited_for_program_is_handed_on_once():
    shell = Shell()
    heard = []

    async def on_output(stream, data):
        heard.append((stream, data))

    async with shell.boxes:
        await shell.call(ShellRun, command="serve", background=True)
        await anyio.lowlevel.checkpoint()
        shell.go.set()
        tool = shell.tool(ShellWait)
        await tool.run(authorized(tool, {"program": 1}, on_output=on_output))
    assert b"".join(data for _, data in heard) == b"ready\ndone\n"


async def test_the_long_output_of_a_background_program_is_kept_under_one_id():
    shell = Shell(shown=1024)
    async with shell.boxes:
        await shell.call(ShellRun, command="flood", background=True)
        await anyio.lowlevel.checkpoint()
        for _ in range(3):
            result = await shell.call(ShellWait, program=1, timeout=0)
            assert result.structured["output"] == "program-1"
        whole = await shell.call(ShellOutput, id="program-1")
        assert whole.structured["text"].splitlines()[-1] == "line 999"


async def test_output_comes_in_pieces_of_whole_lines():
    outputs = KeptOutputs()
    data = "".join(f"line {n} é\n" for n in range(500)).encode()
    outputs.keep("s-1", {"stdout": data, "stderr": b"bad"})
    tool = ShellOutput(outputs)
    offset, got = 0, ""
    while offset is not None:
        result = await done(tool, id="out-1", offset=offset, limit=100)
        got += result.structured["text"]
        assert result.structured["text"].endswith("\n")
        assert result.structured["size"] == len(data)
        offset = result.structured["next_offset"]
    assert got.encode() == data
    assert text_of(await done(tool, id="out-1", stream="stderr")) == "bad"
    with pytest.raises(ExecutionError, match="has 3 bytes of stderr; there is no byte 4"):
        await done(tool, id="out-1", stream="stderr", offset=4)


@given(st.binary(max_size=50), st.integers(1, 9))
async def test_any_output_is_read_to_its_end(data, limit):
    outputs = KeptOutputs()
    outputs.keep("s-1", {"stdout": data})
    offset = 0
    while offset is not None:
        after = (await done(ShellOutput(outputs), id="out-1", offset=offset, limit=limit)).structured[
            "next_offset"
        ]
        assert after is None or after > offset
        offset = after


async def test_the_output_of_another_session_is_not_there():
    outputs = KeptOutputs()
    outputs.keep("s-1", {"stdout": b"secret", "stderr": b""})
    for session, name in (("s-2", "out-1"), ("s-1", "out-2"), ("", "out-1")):
        with pytest.raises(ExecutionError, match="has no output"):
            await done(ShellOutput(outputs), session=session, id=name)


def test_outputs_end_with_their_session_and_a_late_one_is_not_kept():
    outputs = KeptOutputs()
    outputs.keep("s-1", {"stdout": b"a"})
    outputs.keep("s-2", {"stdout": b"b"})
    outputs.end("s-1")
    assert outputs.keep("s-1", {"stdout": b"late"}) is None
    with pytest.raises(ExecutionError):
        outputs.read("s-1", "out-1", "stdout")
    assert outputs.read("s-2", "out-1", "stdout") == b"b"


def kept(outputs, session, names):
    found = []
    for name in names:
        try:
            outputs.read(session, name, "stdout")
        except ExecutionError:
            continue
        found.append(name)
    return found


def test_the_oldest_output_makes_room_within_a_session_and_within_all():
    names = ["out-1", "out-2", "out-3"]
    for limits in ({"session_count": 2}, {"session_bytes": 20}, {"all_bytes": 20}):
        outputs = KeptOutputs(OutputLimits(**limits))
        for _ in range(2):
            outputs.keep("s-1", {"stdout": b"x" * 10})
        assert kept(outputs, "s-1", names) == names[:2]
        outputs.keep("s-1", {"stdout": b"x" * 10})
        assert kept(outputs, "s-1", names) == names[1:]
    for limits in ({"session_bytes": 10}, {"all_bytes": 10}):
        outputs = KeptOutputs(OutputLimits(**limits))
        assert outputs.keep("s-1", {"stdout": b"x" * 10}) == "out-1"
        assert outputs.keep("s-1", {"stdout": b"x" * 11}) is None
    outputs = KeptOutputs(OutputLimits(all_bytes=20))
    outputs.keep("s-1", {"stdout": b"x" * 15})
    outputs.keep("s-2", {"stdout": b"x" * 15})
    assert kept(outputs, "s-1", names) == []


def test_ended_sessions_are_remembered_up_to_a_limit():
    outputs = KeptOutputs(OutputLimits(ended_sessions=1))
    outputs.end("s-1")
    outputs.end("s-2")
    assert outputs.keep("s-2", {"stdout": b"x"}) is None
    assert outputs.keep("s-1", {"stdout": b"x"}) == "out-1"


@pytest.mark.parametrize("name", ["session_count", "session_bytes", "all_bytes", "ended_sessions"])
def test_a_limit_of_nothing_is_refused(name):
    OutputLimits(**{name: 1})
    with pytest.raises(ConfigurationError, match=name):
        OutputLimits(**{name: 0})


@given(st.text(alphabet="ab\né\U0001f600", max_size=60), st.integers(2, 30))
def test_both_ends_are_ends_and_count_what_is_between(text, limit):
    ends = both_ends(text, limit)
    data = text.encode()
    if ends is None:
        assert len(data) <= limit
        return
    head, tail = ends.head.encode(), ends.tail.encode()
    assert data.startswith(head)
    assert data.endswith(tail)
    assert ends.offset == len(head)
    assert ends.left_out == len(data) - len(head) - len(tail) > 0


def test_the_hints_and_schemas_are_honest():
    shell = Shell()
    tools = [shell.tool(ShellRun), shell.tool(ShellWait), shell.tool(ShellKill), ShellOutput(shell.outputs)]
    hints = [tool.definition.annotations for tool in tools]
    assert [h["readOnlyHint"] for h in hints] == [False, True, False, True]
    assert [h["destructiveHint"] for h in hints] == [True, False, True, False]
    assert [h["idempotentHint"] for h in hints] == [False, False, True, True]
    for tool in tools:
        jsonschema.Draft202012Validator.check_schema(tool.definition.input_schema)
        jsonschema.Draft202012Validator.check_schema(tool.definition.output_schema)


@pytest.mark.parametrize(
    ("make", "good", "bad"),
    [
        (
            ShellWait,
            {"program": 1, "timeout": 60},
            [{"program": 0}, {"timeout": 61}, {"timeout": -1}, {"x": 1}],
        ),
        (ShellKill, {"program": 1}, [{}, {"program": 0}, {"program": "1"}]),
    ],
)
def test_the_schema_refuses_what_the_tool_does_not_take(make, good, bad):
    schema = Shell().tool(make).definition.input_schema
    jsonschema.validate(good, schema)
    for arguments in bad:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(arguments, schema)


def test_a_piece_has_bounds():
    schema = ShellOutput(KeptOutputs()).definition.input_schema
    jsonschema.validate({"id": "x" * 64, "offset": 0, "limit": 65536, "stream": "stderr"}, schema)
    for bad in ({}, {"id": ""}, {"id": "x" * 65}, {"id": "a", "limit": 65537}, {"id": "a", "limit": 0}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)
