# SPDX-License-Identifier: Apache-2.0
"""The table of controls as Markdown, from what a probe saw. Pure.

`yett sandbox status --markdown` prints it, `make docs` writes it into docs/sandbox.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from yett.sandbox.control import Control

BEGIN = "<!-- from a probe: `make docs` writes this table -->"
END = "<!-- the end of the probe's table -->"


def markdown(controls: Iterable[Control]) -> str:
    """One row a control."""
    rows = [
        f"| {c.control} | {_cell(c.expected)} | {_cell(c.seen)}{'' if c.ok else ' **wrong**'} | {c.note} |"
        for c in controls
    ]
    return "\n".join(["| control | asked for | seen from inside | |", "|---|---|---|---|", *rows])


def with_table(page: str, table: str) -> str:
    """The page with another table between the marks.

    Raises:
        ValueError: it has no marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the table")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def _cell(text: str) -> str:
    return f"`{text}`" if any(letter.isdigit() or letter in "/=," for letter in text) else text
