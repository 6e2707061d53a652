# SPDX-License-Identifier: Apache-2.0
"""shell_run over a sandbox that answers as it is told; over a real one in tests/sandbox."""

import sys
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import jsonschema
import pytest

from yett.errors import ConfigurationError, ExecutionError, SandboxUnavailable
from yett.ports import BackgroundProgram, CommandResult
from yett.tools.outputs import KeptOutputs
from yett.tools.settings import SHOWN_LEAST, SHOWN_MOST, ShellLimits
from yett.tools.shell_run import ShellRun

sys.path.insert(0, str(Path(__file__).parent))

from tool_calls import authorized


class Told:
    """`ports.Sandboxes` with one sandbox that remembers commands and gives one result."""

    def __init__(self, **result):
        self.result = CommandResult(
            **{"exit_code": 0, "signal": None, "stdout": b"", "stderr": b"", **result}
        )
        self.sessions = []
        self.commands = []

    @asynccontextmanager
    async def lease(self, session, principal=None):
        self.sessions.append((session, principal.agent))
        yield self

    async def run(self, command, on_output=None):
        self.commands.append(command)
        return self.result

    async def start(self, command):
        self.commands.append(command)
        return BackgroundProgram(number=3, command=command, running=True, result=self.result)


def ran(arguments, *, deadline=60.0, session="s-1", limits=None, outputs=None, screen=None, **result):
    boxes = Told(**result)
    tool = ShellRun(boxes, outputs or KeptOutputs(), ShellLimits(**(limits or {})))
    more = {} if screen is None else {"screen": screen}
    outcome = anyio.run(tool.run, authorized(tool, arguments, deadline=deadline, session=session, **more))
    jsonschema.validate(outcome.structured, tool.definition.output_schema)
    return outcome, boxes


def text(outcome):
    assert [block["type"] for block in outcome.content] == ["text"]
    return outcome.content[0]["text"]


def test_a_command_line_goes_to_the_shell_as_it_is():
    _, boxes = ran({"command": 'echo $HOME; rm -rf "x"'})
    assert boxes.commands[0].argv == ("/bin/sh", "-c", 'echo $HOME; rm -rf "x"')
    assert boxes.commands[0].cwd == "/workspace"
    assert boxes.sessions == [("s-1", "r")]


def test_an_argument_list_goes_to_no_shell():
    _, boxes = ran({"argv": ["echo", "$HOME"], "cwd": "a/../b", "env": {"A": "1"}, "stdin": "hü"})
    command = boxes.commands[0]
    assert (command.argv, command.cwd, command.env, command.stdin) == (
        ("echo", "$HOME"),
        "/workspace/b",
        {"A": "1"},
        "hü".encode(),
    )


@pytest.mark.parametrize("arguments", [{}, {"command": "ls", "argv": ["ls"]}])
def test_exactly_one_of_command_and_argv_is_given(arguments):
    with pytest.raises(ExecutionError, match="either"):
        ran(arguments)


def test_without_a_session_the_principal_has_a_sandbox_of_its_own():
    _, boxes = ran({"command": "ls"}, session="")
    assert boxes.sessions == [("spiffe://x/agent/r", "r")]


@pytest.mark.parametrize(
    ("wish", "most", "deadline", "given"),
    [(5, 60, 60, 5), (500, 60, 99, 60), (50, 60, 7, 7), (None, 30, 60, 30)],
)
def test_the_time_is_the_least_of_wish_setting_and_deadline(wish, most, deadline, given):
    arguments = {"command": "ls"} | ({} if wish is None else {"timeout": wish})
    _, boxes = ran(arguments, deadline=deadline, limits={"timeout": most})
    assert boxes.commands[0].timeout == given


def test_success_is_the_output_alone():
    outcome, _ = ran({"command": "x"}, stdout=b"out\n", duration=0.25)
    assert (text(outcome), outcome.is_error) == ("out", False)
    assert outcome.meta["yett/exit_code"] == 0
    assert outcome.meta["yett/duration"] == 0.25


def test_a_program_that_failed_is_a_result_with_its_exit_code_and_no_error():
    outcome, _ = ran({"command": "x"}, exit_code=2, stdout=b"out\n", stderr=b"bad\n")
    assert (text(outcome), outcome.is_error) == ("out\n[stderr]\nbad\n[exit code 2]", False)


def test_silence_is_said():
    assert text(ran({"command": "x"})[0]) == "[no output]"


@pytest.mark.parametrize(
    ("result", "words", "error"),
    [
        ({"exit_code": None, "signal": 11}, "[ended by signal 11 (SIGSEGV)]", False),
        ({"exit_code": None, "signal": 63}, "[ended by signal 63 (unknown)]", False),
        ({"exit_code": None, "signal": 9, "timed_out": True}, "[timed out after 60 s", True),
        ({"exit_code": 0, "signal": None, "timed_out": True}, "[timed out after 60 s", True),
        ({"exit_code": 137, "signal": None, "oom": True}, "[killed: the sandbox is out of memory]", True),
        (
            {"exit_code": None, "signal": 9, "stdout": b"x", "stdout_truncated": True},
            "[killed: far too much",
            True,
        ),
        ({"stdout": b"x", "stdout_truncated": True}, "[stdout was cut after 1048576 bytes]", False),
        ({"stderr": b"x", "stderr_truncated": True}, "[stderr was cut after 1048576 bytes]", False),
    ],
)
def test_how_it_ended_is_said_and_is_an_error_only_when_the_gate_killed_it(result, words, error):
    outcome, _ = ran({"command": "x"}, **result)
    assert words in text(outcome)
    assert outcome.is_error is error


def test_output_that_is_not_utf_8_is_still_text():
    assert text(ran({"command": "x"}, stdout=b"\xff\xfeok")[0]) == "\ufffd\ufffdok"


def test_a_missing_sandbox_is_passed_on():
    class NoEngine:
        @asynccontextmanager
        async def lease(self, session, principal):
            raise SandboxUnavailable("no engine")
            yield

    tool = ShellRun(NoEngine(), KeptOutputs())
    with pytest.raises(SandboxUnavailable):
        anyio.run(tool.run, authorized(tool, {"command": "ls"}))


@pytest.mark.parametrize(
    "arguments",
    [
        {"command": ""},
        {"argv": []},
        {"argv": "ls"},
        {"command": "ls", "timeout": 0},
        {"command": "ls", "timeout": 1801},
        {"command": "ls", "background": "yes"},
        {"command": "ls", "env": {"A": 1}},
        {"command": "ls", "cwd": ""},
        {"command": "ls", "shell": "bash"},
    ],
)
def test_the_schema_refuses_what_the_tool_does_not_take(arguments):
    schema = ShellRun(Told(), KeptOutputs()).definition.input_schema
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(arguments, schema)
    jsonschema.validate({"command": "ls", "timeout": 60, "cwd": "x", "env": {"A": "b"}, "stdin": ""}, schema)


def test_the_hints_are_honest():
    definition = ShellRun(Told(), KeptOutputs()).definition
    assert definition.annotations == {
        "readOnlyHint": False,
        "destructiveHint": True,
        "idempotentHint": False,
        "openWorldHint": False,
    }
    assert (definition.name, definition.target, definition.origin) == ("shell_run", "sandbox", "builtin")


def test_structured_content_tells_the_same():
    outcome, _ = ran({"command": "x"}, exit_code=2, stdout=b"out\n", stderr=b"bad\n", duration=0.5)
    assert outcome.structured == {
        "exit_code": 2,
        "signal": None,
        "stdout": "out\n",
        "stderr": "bad\n",
        "stdout_bytes": 4,
        "stderr_bytes": 4,
        "truncated": False,
        "duration": 0.5,
        "sandbox": {"oom": False, "timed_out": False, "killed": False},
        "output": None,
        "background": None,
    }


@pytest.mark.parametrize(
    ("result", "sandbox"),
    [
        ({"timed_out": True, "exit_code": None, "signal": 9}, {"timed_out": True, "oom": False}),
        ({"oom": True, "exit_code": 137}, {"timed_out": False, "oom": True}),
        ({"exit_code": None, "signal": 9, "stdout_truncated": True}, {"timed_out": False, "oom": False}),
    ],
)
def test_what_the_sandbox_killed_is_said_to_be_killed(result, sandbox):
    outcome, _ = ran({"command": "x"}, **result)
    assert outcome.structured["sandbox"] == {**sandbox, "killed": True}


LONG = b"".join(b"line %d\n" % n for n in range(1000))


def test_of_a_long_output_both_ends_are_shown_and_the_rest_is_kept():
    outputs = KeptOutputs()
    outcome, _ = ran({"command": "x"}, stdout=LONG, stderr=b"!", limits={"shown": 1024}, outputs=outputs)
    said = outcome.structured["stdout"]
    head, marker, tail = (
        said.split("\n[", 1)[0],
        said.split("[", 1)[1].split("]", 1)[0],
        said.split("]\n", 1)[1],
    )
    assert LONG.startswith(head.encode())
    assert LONG.endswith(tail.encode())
    assert tail.startswith("line ")
    offset = len(head) + 1
    left = len(LONG) - offset - len(tail)
    assert marker == (
        f'{left} bytes of stdout are left out here; shell_output {{"id": "out-1", "stream": "stdout", '
        f'"offset": {offset}}} shows them'
    )
    assert len(head) + len(tail) <= 1024
    assert said in text(outcome)
    assert (outcome.structured["truncated"], outcome.structured["stdout_bytes"]) == (True, len(LONG))
    assert outcome.structured["output"] == "out-1"
    assert outputs.read("s-1", "out-1", "stdout") == LONG
    assert outputs.read("s-1", "out-1", "stderr") == b"!"


def test_output_of_exactly_the_limit_is_shown_whole():
    whole = {"command": "x"}
    outcome, _ = ran(whole, stdout=b"x" * 1024, limits={"shown": 1024})
    assert (outcome.structured["stdout"], outcome.structured["output"]) == ("x" * 1024, None)
    assert ran(whole, stdout=b"x" * 1025, limits={"shown": 1024})[0].structured["output"] == "out-1"


def test_what_is_kept_and_cut_was_screened_as_a_whole():
    """A cut in the middle of a secret leaves two halves that nobody would find."""
    outputs = KeptOutputs()
    secret = b"BEGIN" + b"k\n" * 2000 + b"END"

    async def screen(text):
        return text.replace(secret.decode(), "[MASKED]" + "." * 2000)

    outcome, _ = ran({"command": "x"}, stdout=secret, limits={"shown": 1024}, outputs=outputs, screen=screen)
    assert b"k" not in outputs.read("s-1", "out-1", "stdout")
    assert "k\n" not in text(outcome)
    assert "k\n" not in outcome.structured["stdout"]


def test_in_the_background_the_number_comes_at_once():
    outcome, boxes = ran({"command": "serve", "background": True}, exit_code=None, deadline=75.0)
    assert boxes.commands[0].timeout == 1800
    assert text(outcome) == "[program 3 is running, for 0.0 s now]"
    assert (outcome.structured["background"], outcome.is_error) == (3, False)
    _, boxes = ran({"command": "serve", "background": True, "timeout": 100}, exit_code=None)
    assert boxes.commands[0].timeout == 100


def test_without_sessions_nothing_runs_in_the_background():
    tool = ShellRun(Told(), KeptOutputs(), ShellLimits(background_timeout=None))
    assert "background" not in tool.definition.input_schema["properties"]
    assert "background" not in tool.definition.description
    assert tool.definition.input_schema["properties"]["timeout"]["maximum"] == 60
    with pytest.raises(ExecutionError, match="Nothing can run in the background"):
        anyio.run(tool.run, authorized(tool, {"command": "x", "background": True}))


@pytest.mark.parametrize("name", ["shown", "piece"])
def test_the_first_limit_out_of_bounds_is_refused(name):
    for good in (SHOWN_LEAST, SHOWN_MOST):
        ShellLimits(**{name: good})
    for bad in (SHOWN_LEAST - 1, SHOWN_MOST + 1):
        with pytest.raises(ConfigurationError, match=name):
            ShellLimits(**{name: bad})
