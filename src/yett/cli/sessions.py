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
    columns = list(found[0]) if found else ["id"]
    table([c.upper() for c in columns], [[row.get(c) for c in columns] for row in found])


@sessions.command("kill")
def kill(
    session: Annotated[str, typer.Argument(help="The session's id.")], config: ConfigOption = None
) -> None:
    """End a session: its container is destroyed, its next call opens a new one."""
    control.ask(control.configuration(config), "sessions.end", id=session)
    say(f"Session {session} has ended.")
