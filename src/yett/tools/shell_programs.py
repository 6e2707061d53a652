# SPDX-License-Identifier: Apache-2.0
"""`shell_wait` and `shell_kill`: what became of a session's background programs, and their end.

A wait holds the container for a moment at a time, so that other calls of the session get their turn.
Output that came meanwhile is progress; the result shows both ends of all of it, and `shell_output` the whole.
"""

from __future__ import annotations

import anyio

from yett.action import Authorized, JsonObject, JsonValue, ToolResult
from yett.ports import BackgroundProgram, Sandboxes
from yett.tools.file_list import one_line
from yett.tools.outputs import KeptOutputs
from yett.tools.program_result import PROPERTIES, Subject, Teller, output_schema
from yett.tools.sandbox_tool import SandboxTool, Shape, integer
from yett.tools.settings import ShellLimits

TURN = 1.0
"""Seconds of a wait for which the container is held."""
_COMMAND_SHOWN = 200

_PROGRAM: JsonObject = {
    "type": "integer",
    "minimum": 1,
    "maximum": 1 << 31,
    "description": "The number that shell_run gave.",
}
_RUNNING: JsonObject = {"type": "boolean"}
_ROW: JsonObject = {
    "program": {"type": "integer"},
    "running": {"type": "boolean"},
    "exit_code": {"type": ["integer", "null"]},
    "signal": {"type": ["integer", "null"]},
    "duration": {"type": "number"},
    "command": {"type": "string"},
}
_PROGRAMS: JsonObject = {
    "type": "array",
    "description": "Every background program of the session, where none was named.",
    "items": {"type": "object", "properties": _ROW, "required": [*_ROW]},
}


class ShellWait(SandboxTool):
    """Waits for a background program, or lists them. Arguments as `ShellRun`'s."""

    def __init__(self, sandboxes: Sandboxes, outputs: KeptOutputs, limits: ShellLimits | None = None) -> None:
        """See the class."""
        self._limits = limits or ShellLimits()
        super().__init__(sandboxes, _wait_shape(self._limits))
        self._teller = Teller(self._limits.shown, outputs)

    async def run(self, call: Authorized) -> ToolResult:
        """Wait until the program has ended, or the time is over; without a number list all.

        Raises:
            ExecutionError: there is none of that number, or the container is busy.
        """
        arguments = call.action.arguments
        if "program" not in arguments:
            async with self._lease(call) as sandbox:
                return _listed(sandbox.programs())
        wish = arguments.get("timeout")
        seconds = float(wish) if isinstance(wish, int | float) else self._limits.timeout
        until = anyio.current_time() + min(seconds, self._limits.timeout, call.deadline)
        program = await self._wait(call, integer(arguments, "program", 0), until)
        return await _told(self._teller, call, program)

    async def _wait(self, call: Authorized, number: int, until: float) -> BackgroundProgram:
        seen = {"stdout": 0, "stderr": 0}
        while True:
            left = until - anyio.current_time()
            async with self._lease(call) as sandbox:
                program = await sandbox.wait(number, max(0.0, min(left, TURN)))
            if call.on_output is not None:
                for name, data in (("stdout", program.result.stdout), ("stderr", program.result.stderr)):
                    if len(data) > seen[name]:
                        await call.on_output(name, data[seen[name] :])
                        seen[name] = len(data)
            if not program.running or left <= TURN:
                return program


class ShellKill(SandboxTool):
    """Kills a background program. Arguments as `ShellRun`'s."""

    def __init__(self, sandboxes: Sandboxes, outputs: KeptOutputs, limits: ShellLimits | None = None) -> None:
        """See the class."""
        limits = limits or ShellLimits()
        shape = Shape(
            name="shell_kill",
            title="Kill a background program",
            description=(
                "Kill a program that shell_run started in the background in this session and all it started. "
                "The result shows its output as shell_wait does."
            ),
            properties={"program": _PROGRAM},
            required=("program",),
            read_only=False,
            idempotent=True,
            output=output_schema(running=_RUNNING),
        )
        super().__init__(sandboxes, shape)
        self._teller = Teller(limits.shown, outputs)

    async def run(self, call: Authorized) -> ToolResult:
        """Kill it.

        Raises:
            ExecutionError: there is none of that number.
        """
        number = integer(call.action.arguments, "program", 0)
        async with self._lease(call) as sandbox:
            ran = any(program.number == number and program.running for program in sandbox.programs())
            program = await sandbox.kill(number)
        return await _told(self._teller, call, program, killed=ran and program.result.exit_code is None)


async def _told(
    teller: Teller, call: Authorized, program: BackgroundProgram, *, killed: bool = False
) -> ToolResult:
    subject = Subject(
        command=program.command,
        result=program.result,
        number=program.number,
        running=program.running,
        killed=killed,
    )
    result = await teller.tell(call, subject)
    structured: JsonObject = {**(result.structured or {}), "running": program.running}
    # That a program was killed is what was asked for, or asked about: the call itself went well.
    return ToolResult(content=result.content, structured=structured, meta=result.meta)


def _listed(programs: tuple[BackgroundProgram, ...]) -> ToolResult:
    rows: list[JsonValue] = []
    lines: list[str] = []
    for program in programs:
        result, command = program.result, _command(program)
        lines.append(f"{program.number:>3} {_state(program):<12} {result.duration:>8.1f} s  {command}")
        rows.append(
            {
                "program": program.number,
                "running": program.running,
                "exit_code": result.exit_code,
                "signal": result.signal,
                "duration": round(result.duration, 6),
                "command": command,
            }
        )
    text = "\n".join(lines) or "This session has no background programs."
    return ToolResult.text(text, structured={"programs": rows})


def _state(program: BackgroundProgram) -> str:
    result = program.result
    if program.running:
        return "running"
    return f"exit code {result.exit_code}" if result.signal is None else f"signal {result.signal}"


def _command(program: BackgroundProgram) -> str:
    argv = program.command.argv
    words = argv[2] if argv[:2] == ("/bin/sh", "-c") else " ".join(argv)
    return one_line(words if len(words) <= _COMMAND_SHOWN else f"{words[:_COMMAND_SHOWN]}...")


def _wait_shape(limits: ShellLimits) -> Shape:
    # One program, or the list: which of the two is there depends on the call, so nothing is required.
    output: JsonObject = {
        "type": "object",
        "properties": {**PROPERTIES, "running": _RUNNING, "programs": _PROGRAMS},
    }
    return Shape(
        name="shell_wait",
        title="Wait for a background program",
        description=(
            "Wait for a program that shell_run started in the background in this session, and get its state "
            "and output so far, and its exit code once it has ended. It returns when the program ends or the "
            "time is over; a wait of 0 seconds asks how it stands. Without `program` it lists all of them."
        ),
        properties={
            "program": _PROGRAM,
            "timeout": {
                "type": "number",
                "minimum": 0,
                "maximum": limits.timeout,
                "description": f"Seconds to wait. Default and maximum: {limits.timeout:g}.",
            },
        },
        read_only=True,
        idempotent=False,
        output=output,
        timeout=limits.timeout,
    )


__all__ = ["TURN", "ShellKill", "ShellWait"]
