# SPDX-License-Identifier: Apache-2.0
"""shell_run over a sandbox that answers as it is told; over a real one in tests/sandbox."""

from contextlib import asynccontextmanager

import anyio
import jsonschema
import pytest

from yett.action import Action, Authorized, Decision, Effect, Kind, Principal
from yett.errors import ExecutionError, SandboxUnavailable
from yett.ports import CommandResult
from yett.tools.shell import ShellRun


class Told:
    """`ports.Sandboxes` with one sandbox that remembers commands and gives one result."""

    def __init__(self, **result):
        self.result = CommandResult(
            **{"exit_code": 0, "signal": None, "stdout": b"", "stderr": b"", **result}
        )
        self.sessions = []
        self.commands = []

    @asynccontextmanager
    async def lease(self, session):
        self.sessions.append(session)
        yield self

    async def run(self, command):
        self.commands.append(command)
        return self.result


def call(tool, arguments, *, deadline=60.0, session="s-1"):
    action = Action(
        id="a-1",
        kind=Kind.TOOL,
        tool=tool.definition,
        arguments=arguments,
        principal=Principal(agent="r", id="spiffe://x/agent/r", session=session),
        received_at=0.0,
    )
    decision = Decision(effect=Effect.ALLOW, rule="r", reason="")
    return Authorized(action=action, decision=decision, deadline=deadline)


def ran(arguments, *, deadline=60.0, session="s-1", limits=None, **result):
    boxes = Told(**result)
    tool = ShellRun(boxes, **(limits or {}))
    outcome = anyio.run(tool.run, call(tool, arguments, deadline=deadline, session=session))
    return outcome, boxes


def text(outcome):
    assert [block["type"] for block in outcome.content] == ["text"]
    assert outcome.structured is None
    return outcome.content[0]["text"]


def test_a_command_line_goes_to_the_shell_as_it_is():
    _, boxes = ran({"command": 'echo $HOME; rm -rf "x"'})
    assert boxes.commands[0].argv == ("/bin/sh", "-c", 'echo $HOME; rm -rf "x"')
    assert boxes.commands[0].cwd == "/workspace"
    assert boxes.sessions == ["s-1"]


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
    assert boxes.sessions == ["spiffe://x/agent/r"]


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
        async def lease(self, session):
            raise SandboxUnavailable("no engine")
            yield

    tool = ShellRun(NoEngine())
    with pytest.raises(SandboxUnavailable):
        anyio.run(tool.run, call(tool, {"command": "ls"}))


@pytest.mark.parametrize(
    "arguments",
    [
        {"command": ""},
        {"argv": []},
        {"argv": "ls"},
        {"command": "ls", "timeout": 0},
        {"command": "ls", "timeout": 61},
        {"command": "ls", "env": {"A": 1}},
        {"command": "ls", "cwd": ""},
        {"command": "ls", "shell": "bash"},
    ],
)
def test_the_schema_refuses_what_the_tool_does_not_take(arguments):
    schema = ShellRun(Told()).definition.input_schema
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(arguments, schema)
    jsonschema.validate({"command": "ls", "timeout": 60, "cwd": "x", "env": {"A": "b"}, "stdin": ""}, schema)


def test_the_hints_are_honest():
    definition = ShellRun(Told()).definition
    assert definition.annotations == {
        "readOnlyHint": False,
        "destructiveHint": True,
        "idempotentHint": False,
        "openWorldHint": False,
    }
    assert (definition.name, definition.target, definition.origin) == ("shell_run", "sandbox", "builtin")
