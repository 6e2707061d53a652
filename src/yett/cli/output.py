# SPDX-License-Identifier: Apache-2.0
"""How the command line speaks: tables and sentences for a person, `--json` for a program.

Text that came from an agent is shown with control characters made visible, so that it can't move the
cursor or forge a line.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from yett.action import JsonValue

EXIT_OK, EXIT_NO, EXIT_CONFIGURATION, EXIT_ENVIRONMENT, EXIT_ASK = 0, 1, 2, 3, 4

PIPED_WIDTH = 100_000

console = Console(highlight=False, soft_wrap=True)
problems = Console(stderr=True, highlight=False, soft_wrap=True)

JsonFlag = Annotated[bool, typer.Option("--json", help="For a program: JSON on stdout.")]
ConfigOption = Annotated[
    str | None, typer.Option("--config", help="The configuration file. Also YETT_CONFIG.", show_default=False)
]


def visible(text: object) -> str:
    """Text with every character that is not printable written as an escape."""
    return "".join(
        c if c.isprintable() and unicodedata.category(c) != "Cf" else c.encode("unicode_escape").decode()
        for c in str(text)
    )


def print_json(value: JsonValue) -> None:
    """One JSON document."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def print_lines(values: Iterable[JsonValue]) -> None:
    """One JSON object a line."""
    for value in values:
        print_json(value)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A plain table. Cells are shown, never interpreted; what is piped on is one line a row."""
    piped = not console.is_terminal
    drawn = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for number, column in enumerate(columns):
        # Names and ids stand first and are copied from: they are never broken.
        drawn.add_column(column, overflow="fold", no_wrap=piped or number == 0)
    for row in rows:
        drawn.add_row(*(Text(visible(cell)) for cell in row))
    if not piped:
        console.print(drawn)
        return
    wide = Console(width=PIPED_WIDTH, highlight=False)
    with wide.capture() as lines:
        wide.print(drawn)
    for line in lines.get().splitlines():
        say(line.rstrip())


def say(text: str) -> None:
    """A sentence of our own on stdout; no markup is read from it."""
    console.print(Text(text))


def complain(text: str, advice: str = "") -> None:
    """What went wrong and what to do, on stderr."""
    problems.print(Text(f"yett: {text}"))
    if advice and advice not in text:
        problems.print(Text(f"  {advice}"))
