# SPDX-License-Identifier: Apache-2.0
"""How a program's end, or its state, is told to an agent: text, structured content, and what was too long.

A program that ran and failed is a result, with its exit code, and no error: agents expect to read the
compiler's complaint. `isError` says that it was killed by the gate. Output that is cut is screened as a
whole before it is cut: half a secret is one that nobody would find.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass

from yett.action import Authorized, JsonObject, JsonValue, ToolResult
from yett.ports import Command, CommandResult
from yett.tools.outputs import KeptOutputs
from yett.tools.pieces import both_ends
from yett.tools.sandbox_tool import session_of

_NUMBER_OR_NULL: list[JsonValue] = ["integer", "null"]

PROPERTIES: JsonObject = {
    "exit_code": {"type": _NUMBER_OR_NULL, "description": "Null when a signal ended it, or it still runs."},
    "signal": {"type": _NUMBER_OR_NULL},
    "stdout": {"type": "string", "description": "As shown: the middle of a long one is left out."},
    "stderr": {"type": "string", "description": "As stdout."},
    "stdout_bytes": {"type": "integer", "description": "How many bytes were kept of it."},
    "stderr_bytes": {"type": "integer"},
    "truncated": {"type": "boolean", "description": "Whether a stream is not shown as a whole."},
    "duration": {"type": "number", "description": "Seconds."},
    "sandbox": {
        "type": "object",
        "properties": {
            "oom": {"type": "boolean", "description": "Killed because the sandbox is out of memory."},
            "timed_out": {"type": "boolean"},
            "killed": {"type": "boolean", "description": "Ended by the sandbox and not by itself."},
        },
        "required": ["oom", "timed_out", "killed"],
    },
    "output": {"type": ["string", "null"], "description": "For shell_output: the whole of a long output."},
    "background": {"type": _NUMBER_OR_NULL, "description": "The number of a background program."},
}
"""Of the structured content."""


def output_schema(**more: JsonValue) -> JsonObject:
    """The output schema of a tool that tells of one program, with properties of its own."""
    properties: JsonObject = {**PROPERTIES, **more}
    return {"type": "object", "properties": properties, "required": [*properties]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Which program is told of. `number` is that of a background program, else 0."""

    command: Command
    result: CommandResult
    number: int = 0
    running: bool = False
    killed: bool = False


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells of programs. `shown` is bytes of a stream; what is longer is kept in `outputs`."""

    shown: int
    outputs: KeptOutputs

    async def tell(self, call: Authorized, subject: Subject) -> ToolResult:
        """The result of a call about one program."""
        result = subject.result
        streams = {
            "stdout": result.stdout.decode("utf-8", "replace"),
            "stderr": result.stderr.decode("utf-8", "replace"),
        }
        kept: str | None = None
        long = any(both_ends(text, self.shown) for text in streams.values())
        if long and call.screen is not None:
            streams = {name: await call.screen(text) for name, text in streams.items()}
            name = f"program-{subject.number}" if subject.number else ""
            whole = {stream: text.encode(errors="replace") for stream, text in streams.items()}
            kept = self.outputs.keep(session_of(call), whole, name=name)
        shown = {name: self._cut(name, text, kept) for name, text in streams.items()}
        truncated = result.stdout_truncated or result.stderr_truncated
        structured: JsonObject = {
            "exit_code": result.exit_code,
            "signal": result.signal,
            **shown,
            "stdout_bytes": len(result.stdout),
            "stderr_bytes": len(result.stderr),
            "truncated": truncated or long,
            "duration": round(result.duration, 6),
            "sandbox": {"oom": result.oom, "timed_out": result.timed_out, "killed": _killed(subject)},
            "output": kept,
            "background": subject.number or None,
        }
        meta: JsonObject = {
            "yett/exit_code": result.exit_code,
            "yett/signal": result.signal,
            "yett/duration": round(result.duration, 6),
            "yett/timed_out": result.timed_out,
            "yett/oom": result.oom,
            "yett/truncated": truncated,
        }
        return ToolResult(
            content=({"type": "text", "text": _text(shown, subject)},),
            structured=structured,
            is_error=_killed(subject) and not subject.killed,
            meta=meta,
        )

    def _cut(self, name: str, text: str, kept: str | None) -> str:
        ends = both_ends(text, self.shown)
        if ends is None:
            return text
        where = (
            f'shell_output {{"id": "{kept}", "stream": "{name}", "offset": {ends.offset}}} shows them'
            if kept
            else "they were not kept"
        )
        head = ends.head.removesuffix("\n")
        return f"{head}\n[{ends.left_out} bytes of {name} are left out here; {where}]\n{ends.tail}"


def _text(shown: dict[str, str], subject: Subject) -> str:
    result = subject.result
    parts = [shown["stdout"]] if shown["stdout"] else []
    if shown["stderr"]:
        parts.append(f"[stderr]\n{shown['stderr']}")
    parts += [
        f"[{name} was cut after {subject.command.output_limit} bytes]"
        for name, cut in (("stdout", result.stdout_truncated), ("stderr", result.stderr_truncated))
        if cut
    ]
    if subject.running:
        parts.append(f"[program {subject.number} is running, for {result.duration:.1f} s now]")
    elif subject.number or result.timed_out or result.exit_code != 0:
        parts.append(_ending(subject))
    return "\n".join(part.removesuffix("\n") for part in parts) or "[no output]"


def _ending(subject: Subject) -> str:
    result = subject.result
    if result.timed_out:
        after = f"[timed out after {subject.command.timeout:g} s: everything it started was killed"
        lost = "" if subject.number else ", and the sandbox may have been replaced by an empty one"
        return f"{after}{lost}]"
    if result.oom:
        return "[killed: the sandbox is out of memory]"
    if subject.killed:
        return f"[program {subject.number} and all it started were killed]"
    if _flooded(result):
        return "[killed: far too much output]"
    if result.signal is not None:
        return f"[ended by signal {result.signal} ({_signal_name(result.signal)})]"
    return f"[exit code {result.exit_code}]"


def _killed(subject: Subject) -> bool:
    """Whether the gate ended it."""
    result = subject.result
    return result.timed_out or result.oom or _flooded(result) or subject.killed


def _flooded(result: CommandResult) -> bool:
    return (result.stdout_truncated or result.stderr_truncated) and result.signal == signal.SIGKILL


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


__all__ = ["PROPERTIES", "Subject", "Teller", "output_schema"]
