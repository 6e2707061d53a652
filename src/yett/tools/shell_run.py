# SPDX-License-Identifier: Apache-2.0
"""`shell_run`: a command in the session's container, to its end or in the background.

It runs what was authorized and reports what came of it; whether it may run was decided before, and
what it can reach is the container's business. A command string is handed to /bin/sh as it is and never
taken apart here.
"""

from __future__ import annotations

from yett.action import Authorized, JsonObject, ToolResult
from yett.errors import ExecutionError
from yett.ports import Command, Sandboxes
from yett.tools.outputs import KeptOutputs
from yett.tools.program_result import Subject, Teller, output_schema
from yett.tools.sandbox_paths import WORKSPACE, sandbox_path
from yett.tools.sandbox_tool import SandboxTool, Shape
from yett.tools.settings import ShellLimits

_DESCRIPTION = (
    "Run a command in this session's sandbox: a container without network devices or privileges. Give "
    "either `command`, a line for /bin/sh, or `argv`, a program with its arguments and no shell. Files in "
    "/workspace {files}; processes do not stay: everything the command started is killed when it "
    "ends{background}. The result holds standard output, then standard error, then the exit code if not 0. "
    "Of a long output the beginning and the end are shown, and shell_output gives the rest."
)
_FILES_STAY = "stay between calls of one session"
_FILES_GO = "are gone after each call"
_BACKGROUND = (
    ", unless it was started with `background`: then it runs until it ends, its time is over or the session "
    "ends; shell_wait tells what became of it and shell_kill ends it"
)


class ShellRun(SandboxTool):
    """The tool.

    Args:
        sandboxes: where it runs.
        outputs: where long output is kept.
        limits: of time and output.
    """

    def __init__(self, sandboxes: Sandboxes, outputs: KeptOutputs, limits: ShellLimits | None = None) -> None:
        """See the class."""
        self._limits = limits or ShellLimits()
        super().__init__(sandboxes, _shape(self._limits))
        self._teller = Teller(self._limits.shown, outputs)

    async def run(self, call: Authorized) -> ToolResult:
        """Run the command and tell how it ended, or start it and tell its number.

        Raises:
            ExecutionError: it could not be started, or there are too many in the background.
            SandboxUnavailable: there is no sandbox to run it in.
        """
        background = call.action.arguments.get("background") is True
        command = self._command(call, background=background)
        async with self._lease(call) as sandbox:
            if background:
                started = await sandbox.start(command)
                subject = Subject(
                    command=started.command,
                    result=started.result,
                    number=started.number,
                    running=started.running,
                )
            else:
                subject = Subject(command=command, result=await sandbox.run(command, call.on_output))
        return await self._teller.tell(call, subject)

    def _command(self, call: Authorized, *, background: bool) -> Command:
        arguments = call.action.arguments
        limits = self._limits
        most = min(limits.timeout, call.deadline)
        if background:
            if limits.background_timeout is None:
                raise ExecutionError("Nothing can run in the background here: each call has its own sandbox.")
            most = limits.background_timeout
        asked = arguments.get("timeout")
        env = arguments.get("env")
        return Command(
            argv=_argv(arguments),
            cwd=sandbox_path(str(arguments.get("cwd") or WORKSPACE)),
            env={k: str(v) for k, v in env.items()} if isinstance(env, dict) else {},
            stdin=str(arguments.get("stdin") or "").encode(),
            timeout=min(float(asked), most) if isinstance(asked, int | float) else most,
            output_limit=limits.output,
        )


def _argv(arguments: JsonObject) -> tuple[str, ...]:
    command, argv = arguments.get("command"), arguments.get("argv")
    if (command is None) == (argv is None):
        raise ExecutionError("Give either `command` or `argv`, and not both.")
    if isinstance(argv, list):
        return tuple(str(a) for a in argv)
    return ("/bin/sh", "-c", str(command))


def _shape(limits: ShellLimits) -> Shape:
    longest = limits.background_timeout
    in_background = f"; with background, both are {longest:g}" if longest is not None else ""
    properties: JsonObject = {
        "command": {
            "type": "string",
            "minLength": 1,
            "description": "A command line for /bin/sh -c. Not together with argv.",
        },
        "argv": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "description": "The program and its arguments, without a shell. Not together with command.",
        },
        "cwd": {
            "type": "string",
            "minLength": 1,
            "description": "The folder to run in. Default /workspace; a relative one is under it.",
        },
        "env": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Environment variables to add.",
        },
        "stdin": {"type": "string", "description": "Text for standard input, which is empty otherwise."},
        "timeout": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": max(limits.timeout, longest or 0.0),
            "description": (
                f"Seconds after which it is killed. Default and maximum: {limits.timeout:g}{in_background}."
            ),
        },
    }
    if longest is not None:
        properties["background"] = {
            "type": "boolean",
            "description": "Start it, return its number at once and leave it running. Default false.",
        }
    stays = longest is not None
    return Shape(
        name="shell_run",
        title="Run a command",
        description=_DESCRIPTION.format(
            files=_FILES_STAY if stays else _FILES_GO, background=_BACKGROUND if stays else ""
        ),
        properties=properties,
        read_only=False,
        output=output_schema(),
        timeout=limits.timeout,
    )
