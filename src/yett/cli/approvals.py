# SPDX-License-Identifier: Apache-2.0
"""`yett approvals`: what waits for a person, and the person's answer."""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from yett.action import JsonObject
from yett.cli import control
from yett.cli.output import ConfigOption, JsonFlag, print_json, print_lines, say, table
from yett.errors import BrokenRoom

approvals = typer.Typer(help="What waits for a person.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(help="The approval's id; a unique beginning will do.")]
As = Annotated[
    str | None, typer.Option("--as", help="Answer as this person; the token is read from YETT_PERSON_TOKEN.")
]
Reason = Annotated[str, typer.Option("--reason", help="The agent is told this.")]


@approvals.command("list")
def list_approvals(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Answered ones too.")] = False,
    as_json: JsonFlag = False,
    config: ConfigOption = None,
) -> None:
    """What is pending (or everything), newest first."""
    rows = control.ask(control.configuration(config), "approvals.list", all=everything)
    found = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if as_json:
        print_lines(found)
        return
    if not found:
        say("Nothing is waiting." if not everything else "There are no approvals yet.")
        return
    columns = ["id", "state", "agent", "tool", "rule", "expires"]
    table([c.upper() for c in columns], [[_cell(row, column) for column in columns] for row in found])
    say("Look before you answer: yett approvals show ID")


@approvals.command("show")
def show(approval: Id, *, as_json: JsonFlag = False, config: ConfigOption = None) -> None:
    """One approval, rendered by the gate from the very values that will run."""
    row = _row(control.ask(control.configuration(config), "approvals.show", id=approval))
    if as_json:
        print_json(row)
        return
    say(str(row["rendered"]))
    for vote in row["votes"] if isinstance(row["votes"], list) else []:
        if isinstance(vote, dict):
            say(f"{vote['by']}: {'approve' if vote['approve'] else 'deny'} {vote.get('reason', '')}".rstrip())
    say(f"State: {row['state']}")


@approvals.command("approve")
def approve(approval: Id, person: As = None, config: ConfigOption = None) -> None:
    """Say yes, once, to exactly this call."""
    _answer(approval, yes=True, person=person, reason="", config=config)


@approvals.command("deny")
def deny(approval: Id, person: As = None, reason: Reason = "", config: ConfigOption = None) -> None:
    """Say no."""
    _answer(approval, yes=False, person=person, reason=reason, config=config)


def _answer(approval: str, *, yes: bool, person: str | None, reason: str, config: str | None) -> None:
    verb = "approvals.approve" if yes else "approvals.deny"
    arguments: JsonObject = {"id": approval, "reason": reason}
    if person:
        arguments |= {"person": person, "token": os.environ.get("YETT_PERSON_TOKEN", "")}
    row = _row(control.ask(control.configuration(config), verb, **arguments))
    words = {
        "approved": "approved; it runs once when the agent calls again",
        "denied": "denied",
        "pending": "noted; more people have to answer",
    }
    say(f"{row['id']} is {words.get(str(row['state']), row['state'])}.")


def _row(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise BrokenRoom("the gateway's answer is no record")
    return value


def _cell(row: JsonObject, column: str) -> str:
    if column == "expires":
        until = row.get("expires_at")
        left = int(until - time.time()) if isinstance(until, int | float) else 0
        return f"in {left} s" if left > 0 and row.get("state") == "pending" else "-"
    return str(row.get(column))
