# SPDX-License-Identifier: Apache-2.0
"""Writes the table of controls in docs/sandbox.md, from a look into a container of the tiny image."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

from yett.cli.doctor import probe_sandbox
from yett.cli.sandbox import cache_folder
from yett.sandbox.engine import Engine
from yett.sandbox.images import build_tiny
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.table import markdown, with_table

PAGE = Path(__file__).parents[1] / "docs" / "sandbox.md"


def main() -> int:
    """Exit 1 when a control is not as it should be; the page is left alone then."""
    _, controls = probe_sandbox(SandboxSettings(image=anyio.run(_image), spares=0), "docs")
    wrong = [control for control in controls if not control.ok]
    if wrong:
        sys.stderr.write(f"{wrong}\n")
        return 1
    PAGE.write_text(with_table(PAGE.read_text(), markdown(controls)))
    return 0


async def _image() -> str:
    engine = Engine(SandboxSettings())
    try:
        return (await build_tiny(engine, cache=cache_folder(), tag="docs"))[0]
    finally:
        await engine.aclose()


if __name__ == "__main__":
    sys.exit(main())
