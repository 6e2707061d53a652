# SPDX-License-Identifier: Apache-2.0
"""`yett agents` and `yett people`: who may call, who may approve, and their credentials."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from yett.action import JsonValue
from yett.cli import control
from yett.cli.output import ConfigOption, JsonFlag, print_json, print_lines, say, table
from yett.config.load import Configuration
from yett.errors import BrokenRoom
from yett.shim import credential_path

agents = typer.Typer(help="Service accounts of agents.", no_args_is_help=True)
people = typer.Typer(help="People who may approve.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="As in yett.yaml.")]


@agents.command("add")
def add_agent(
    name: Name,
    *,
    show: Annotated[bool, typer.Option("--show", help="Print the token (for HTTP clients); once.")] = False,
    as_json: JsonFlag = False,
    config: ConfigOption = None,
) -> None:
    """Issue a credential for an agent of yett.yaml and store it for `yett serve` (mode 0600)."""
    known = control.configuration(config)
    issued = _issued(control.ask(known, "agents.add", name=name))
    path = store_for_shim(known, name, issued)
    if as_json:
        print_json({"agent": name, "stored": str(path), **({"token": issued} if show else {})})
        return
    say(f"Agent {name} has a credential. `yett serve --agent {name}` reads it from {path}.")
    if show:
        say(f"For HTTP clients, shown once: Authorization: Bearer {issued}")


def store_for_shim(known: Configuration, name: str, token: str) -> Path:
    """Leave the credential where `yett serve` looks for it, readable by this user alone."""
    path = credential_path(known.path, name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = {
        "credential": token,
        "socket": str(known.state / "gateway.sock"),
        "configuration": str(known.path),
    }
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    fresh.replace(path)
    return path


@agents.command("list")
def list_agents(*, as_json: JsonFlag = False, config: ConfigOption = None) -> None:
    """Agents, their roles and their credentials."""
    _list("agents.list", as_json=as_json, config=config)


@agents.command("revoke")
def revoke_agent(name: Name, config: ConfigOption = None) -> None:
    """End every credential of an agent, at once."""
    known = control.configuration(config)
    count = control.ask(known, "agents.revoke", name=name)
    credential_path(known.path, name).unlink(missing_ok=True)
    say(f"{count} credential(s) of agent {name} are revoked. A new one: yett agents add {name}")


@agents.command("suspend")
def suspend_agent(name: Name, config: ConfigOption = None) -> None:
    """Refuse every call of an agent until `yett agents resume`."""
    control.ask(control.configuration(config), "agents.suspend", name=name, suspended=True)
    say(f"Agent {name} is suspended.")


@agents.command("resume")
def resume_agent(name: Name, config: ConfigOption = None) -> None:
    """Let a suspended agent call again."""
    control.ask(control.configuration(config), "agents.suspend", name=name, suspended=False)
    say(f"Agent {name} may call again.")


@people.command("add")
def add_person(name: Name, *, as_json: JsonFlag = False, config: ConfigOption = None) -> None:
    """Issue a login token for a person of yett.yaml. Shown once."""
    token = _issued(control.ask(control.configuration(config), "people.add", name=name))
    if as_json:
        print_json({"person": name, "token": token})
        return
    say(f"Login token of {name}, shown once:")
    say(token)
    say(f"They approve with: YETT_PERSON_TOKEN=... yett approvals approve ID --as {name}")


@people.command("list")
def list_people(*, as_json: JsonFlag = False, config: ConfigOption = None) -> None:
    """People, their groups and their tokens."""
    _list("people.list", as_json=as_json, config=config)


@people.command("revoke")
def revoke_person(name: Name, config: ConfigOption = None) -> None:
    """End every login token of a person, at once."""
    count = control.ask(control.configuration(config), "people.revoke", name=name)
    say(f"{count} token(s) of {name} are revoked.")


def _issued(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise BrokenRoom("the gateway issued no credential")
    return value


def _list(verb: str, *, as_json: bool, config: str | None) -> None:
    rows = control.ask(control.configuration(config), verb)
    if not isinstance(rows, list):
        raise BrokenRoom("the gateway's answer is no list")
    found = [row for row in rows if isinstance(row, dict)]
    if as_json:
        print_lines(found)
        return
    if not found:
        say(f"yett.yaml names no {verb.partition('.')[0]}.")
        return
    columns = list(found[0])
    table([c.upper() for c in columns], [[_cell(row.get(c)) for c in columns] for row in found])


def _cell(value: JsonValue) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None or not str(value) else str(value)
