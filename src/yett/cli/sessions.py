# SPDX-License-Identifier: Apache-2.0
"""`yett sessions`: who is connected, and the end of it."""

from __future__ import annotations

from typing import Annotated

import typer

from yett.cli import control
from yett.cli.output import ConfigOption, JsonFlag, print_lines, say, table

sessions = typer.Typer(help="Sessions of agents.", no_args_is_help=True)


@sessions.command("list")
def list_sessions(*, as_json: JsonFlag = False, config: ConfigOption = None) -> None:
    """Sessions and their labels."""
    rows = control.ask(control.configuration(config), "sessions.list")
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if as_json:
        print_lines(found)
        return
    if not found:
        say("No agent has called yet.")
        return
    columns = list(found[0])
    table([c.upper() for c in columns], [[row.get(c) for c in columns] for row in found])


Id = Annotated[str, typer.Argument(help="The session's id.")]


@sessions.command("kill")
def kill(session: Id, config: ConfigOption = None) -> None:
    """End a session for good: its container is destroyed and its agent's calls are refused."""
    _change(session, "kill", config)
    say(f"Session {session} is killed. To let its agent work again: yett sessions release {session}")


@sessions.command("freeze")
def freeze(session: Id, config: ConfigOption = None) -> None:
    """Refuse a session's calls until it is released; what it has stays."""
    _change(session, "freeze", config)
    say(f"Session {session} is frozen.")


@sessions.command("release")
def release(session: Id, config: ConfigOption = None) -> None:
    """Let a frozen or killed session's agent call again."""
    _change(session, "release", config)
    say(f"Session {session} is released.")


def _change(session: str, change: str, config: str | None) -> None:
    control.ask(control.configuration(config), "sessions.change", id=session, change=change)
