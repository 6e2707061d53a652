# SPDX-License-Identifier: Apache-2.0
"""`shell_run`: a command in the session's container.

It runs what was authorized and reports what came of it; whether it may run was decided before, and
what it can reach is the container's business. A command string is handed to /bin/sh as it is and never
taken apart here. A program that ran and failed is a result, with its exit code, and no error: agents
expect to read the compiler's complaint. `isError` says that it could not run or was killed by the gate.
"""

from __future__ import annotations

import signal

from yett.action import Authorized, JsonObject, JsonValue, ToolDefinition, ToolResult
from yett.errors import ExecutionError
from yett.ports import Command, CommandResult, Sandboxes
from yett.tools.sandbox_paths import WORKSPACE, sandbox_path

_DESCRIPTION = (
    "Run a command in this session's sandbox: a container without network devices or privileges. Give "
    "either `command`, a line for /bin/sh, or `argv`, a program with its arguments and no shell. Files in "
    "/workspace stay between calls of one session; processes do not: everything the command started is "
    "killed when it ends, so nothing can be left running in the background. The result holds standard "
    "output, then standard error, then the exit code if it is not 0."
)


class ShellRun:
    """The tool (`ports.Tool`).

    Args:
        sandboxes: where it runs.
        timeout: the default and the longest time, in seconds.
        output_limit: kept of each output stream, in bytes.
    """

    def __init__(self, sandboxes: Sandboxes, *, timeout: float = 60.0, output_limit: int = 1 << 20) -> None:
        """See the class."""
        self._sandboxes = sandboxes
        self._timeout = timeout
        self._output_limit = output_limit
        self._definition = ToolDefinition(
            name="shell_run",
            title="Run a command",
            description=_DESCRIPTION,
            input_schema=_schema(timeout),
            annotations={
                "readOnlyHint": False,
                "destructiveHint": True,
                "idempotentHint": False,
                "openWorldHint": False,
            },
            target="sandbox",
            timeout=timeout,
        )

    @property
    def definition(self) -> ToolDefinition:
        """How it is listed, validated and decided on."""
        return self._definition

    async def run(self, call: Authorized) -> ToolResult:
        """Run the command and tell how it ended.

        Raises:
            ExecutionError: it could not be started.
            SandboxUnavailable: there is no sandbox to run it in.
        """
        principal = call.action.principal
        command = self._command(call)
        async with self._sandboxes.lease(principal.session or principal.id) as sandbox:
            return _result(await sandbox.run(command), command)

    def _command(self, call: Authorized) -> Command:
        arguments = call.action.arguments
        asked = arguments.get("timeout")
        wish = float(asked) if isinstance(asked, int | float) else self._timeout
        env = arguments.get("env")
        return Command(
            argv=_argv(arguments),
            cwd=sandbox_path(str(arguments.get("cwd") or WORKSPACE)),
            env={k: str(v) for k, v in env.items()} if isinstance(env, dict) else {},
            stdin=str(arguments.get("stdin") or "").encode(),
            timeout=min(wish, self._timeout, call.deadline),
            output_limit=self._output_limit,
        )


def _argv(arguments: JsonObject) -> tuple[str, ...]:
    command, argv = arguments.get("command"), arguments.get("argv")
    if (command is None) == (argv is None):
        raise ExecutionError("Give either `command` or `argv`, and not both.")
    if isinstance(argv, list):
        return tuple(str(a) for a in argv)
    return ("/bin/sh", "-c", str(command))


def _result(result: CommandResult, command: Command) -> ToolResult:
    stdout, stderr = (stream.decode("utf-8", "replace") for stream in (result.stdout, result.stderr))
    parts = [stdout] if stdout else []
    if stderr:
        parts.append(f"[stderr]\n{stderr}")
    parts += _remarks(result, command)
    killed = result.timed_out or result.oom or _flooded(result)
    meta: dict[str, JsonValue] = {
        "yett/exit_code": result.exit_code,
        "yett/signal": result.signal,
        "yett/duration": round(result.duration, 6),
        "yett/timed_out": result.timed_out,
        "yett/oom": result.oom,
        "yett/truncated": result.stdout_truncated or result.stderr_truncated,
    }
    text = "\n".join(part.removesuffix("\n") for part in parts)
    return ToolResult(content=({"type": "text", "text": text or "[no output]"},), is_error=killed, meta=meta)


def _remarks(result: CommandResult, command: Command) -> list[str]:
    cut = [
        f"[{name} was cut after {command.output_limit} bytes]"
        for name, truncated in (("stdout", result.stdout_truncated), ("stderr", result.stderr_truncated))
        if truncated
    ]
    return [*cut, *([_ending(result, command)] if result.timed_out or result.exit_code != 0 else [])]


def _ending(result: CommandResult, command: Command) -> str:
    if result.timed_out:
        return (
            f"[timed out after {command.timeout:g} s: everything it started was killed, and the sandbox may "
            "have been replaced by an empty one]"
        )
    if result.oom:
        return "[killed: the sandbox is out of memory]"
    if _flooded(result):
        return "[killed: far too much output]"
    if result.signal is not None:
        return f"[ended by signal {result.signal} ({_signal_name(result.signal)})]"
    return f"[exit code {result.exit_code}]"


def _flooded(result: CommandResult) -> bool:
    truncated = result.stdout_truncated or result.stderr_truncated
    return truncated and result.signal == signal.SIGKILL


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _schema(timeout: float) -> JsonObject:
    return {
        "type": "object",
        "properties": {
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
                "maximum": timeout,
                "description": f"Seconds after which it is killed. Default and maximum: {timeout:g}.",
            },
        },
        "additionalProperties": False,
    }
