# SPDX-License-Identifier: Apache-2.0
"""`yett setup CLIENT`: the lines to paste into an agent's own configuration. It prints and writes nothing."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from yett.cli import control
from yett.cli.output import ConfigOption, say
from yett.errors import BadRequest

CLIENTS = ("openclaw", "claude-desktop", "claude-code", "cursor", "vscode")
CLAUDE_CODE_TOOLS = (
    *("Bash", "PowerShell", "Monitor", "Read", "Glob", "Grep", "LSP"),
    *("Edit", "Write", "NotebookEdit", "WebFetch", "WebSearch", "Artifact"),
)
"""Its own tools that reach files, programs or the network (code.claude.com/docs/en/tools-reference)."""


def setup(
    client: Annotated[str, typer.Argument(help=", ".join(CLIENTS))],
    agent: Annotated[str, typer.Option("--agent", help="Which agent of yett.yaml this client is.")],
    config: ConfigOption = None,
) -> None:
    """Print what to paste so that CLIENT uses this gate as AGENT."""
    if client not in CLIENTS:
        raise BadRequest(f"I don't know {client!r}; I know {', '.join(CLIENTS)}")
    known = control.configuration(config)
    if agent not in known.settings.agents:
        raise BadRequest(f"yett.yaml names no agent {agent!r}; it names {', '.join(known.settings.agents)}")
    say(snippet(client, agent, known.path))


def executable() -> str:
    """How a client starts this program."""
    beside = Path(sys.executable).with_name("yett")
    return str(beside) if beside.exists() else shutil.which("yett") or "yett"


def snippet(client: str, agent: str, configuration: Path) -> str:
    """The text to paste, with where it goes in its first line."""
    command = executable()
    arguments = ["serve", "--agent", agent, "--config", str(configuration)]
    server: dict[str, object] = {"command": command, "args": arguments}
    match client:
        case "openclaw":
            # toolSearch off: the model sees the tools themselves. The time-out lets a person answer.
            wanted: dict[str, object] = {
                "mcp": {"servers": {"yett": {**server, "requestTimeoutMs": 300_000}}},
                "tools": {"allow": ["yett__*"], "toolSearch": False, "elevated": {"enabled": False}},
            }
            return "OpenClaw, ~/.openclaw/openclaw.json (merge):\n" + _json(wanted)
        case "claude-desktop":
            return "Claude Desktop, claude_desktop_config.json (merge):\n" + _json(
                {"mcpServers": {"yett": server}}
            )
        case "claude-code":
            words = shlex.join([command, *arguments])
            return (
                f"Claude Code, in a shell:\nclaude mcp add yett -- {words}\n"
                "and in ~/.claude/settings.json (merge):\n"
                + _json({"permissions": {"deny": list(CLAUDE_CODE_TOOLS)}})
            )
        case "cursor":
            return "Cursor, ~/.cursor/mcp.json (merge):\n" + _json({"mcpServers": {"yett": server}})
        case _:
            return "VS Code, .vscode/mcp.json (merge):\n" + _json(
                {"servers": {"yett": {"type": "stdio", **server}}}
            )


def _json(value: object) -> str:
    return json.dumps(value, indent=2)
