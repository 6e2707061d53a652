# SPDX-License-Identifier: Apache-2.0
"""`yett audit`: read the log and check it. Needs no running gateway and trusts none."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from yett.audit.describe import describe
from yett.audit.tail import tail
from yett.cli import control
from yett.cli.output import EXIT_NO, ConfigOption, JsonFlag, print_json, say, visible
from yett.errors import EnvironmentFault

audit = typer.Typer(help="The log.", no_args_is_help=True)

Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder", exists=True, file_okay=False, help="A copy of a log instead of this gate's own."
    ),
]


def _folder(given: Path | None, config: str | None) -> Path:
    if given is not None:
        return given
    folder = control.configuration(config).state / "audit"
    if not folder.is_dir():
        raise EnvironmentFault(f"there is no log in {folder} yet", advice="it begins when the gateway starts")
    return folder


@audit.command("tail")
def tail_command(
    *,
    count: Annotated[int, typer.Option("-n", help="How many records.")] = 20,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as records come.")] = False,
    as_json: JsonFlag = False,
    folder: Folder = None,
    config: ConfigOption = None,
) -> None:
    """The newest records, oldest first."""
    try:
        for record in tail(_folder(folder, config), count, follow=follow):
            if as_json:
                print_json(record)
            else:
                say(visible(describe(record)))
    except KeyboardInterrupt:
        return


@audit.command("verify")
def verify_command(
    *,
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            exists=True,
            dir_okay=False,
            help="A public key kept elsewhere; else the one beside the log.",
        ),
    ] = None,
    as_json: JsonFlag = False,
    folder: Folder = None,
    config: ConfigOption = None,
) -> None:
    """Check every line, the chain, the signed checkpoint and the gaps. Exit 1 when something is wrong."""
    from yett.audit.verify import verify  # noqa: PLC0415 - see commands.py

    key = public_key.read_text(encoding="utf-8") if public_key else None
    report = verify(_folder(folder, config), public_key=key)
    if as_json:
        print_json(
            {
                "ok": report.ok,
                "records": report.records,
                "problems": [str(p) for p in report.problems],
                "notes": [str(n) for n in report.notes],
            }
        )
    else:
        for problem in report.problems:
            say(f"WRONG  {visible(problem)}")
        for note in report.notes:
            say(f"note   {visible(note)}")
        say(f"{report.records} records: {'the log is whole' if report.ok else 'the log was changed'}.")
    if not report.ok:
        raise typer.Exit(EXIT_NO)
