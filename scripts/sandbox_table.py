# SPDX-License-Identifier: Apache-2.0
"""Writes the table of controls in docs/sandbox.md, from a look into a container of the tiny image."""

from __future__ import annotations

import sys
from pathlib import Path

from yett.cli.doctor import probe_sandbox
from yett.cli.sandbox_build import cache_folder
from yett.sandbox.images import ImageStore, build_tiny
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.table import markdown, with_table

PAGE = Path(__file__).parents[1] / "docs" / "sandbox.md"


def main() -> int:
    """Exit 1 when a control is not as it should be; the page is left alone then."""
    _, controls = probe_sandbox(SandboxSettings(image=_image(), warm=0), "docs")
    wrong = [control for control in controls if not control.ok]
    if wrong:
        sys.stderr.write(f"{wrong}\n")
        return 1
    PAGE.write_text(with_table(PAGE.read_text(), markdown(controls)))
    return 0


def _image() -> str:
    with ImageStore(SandboxSettings().engine) as store:
        return build_tiny(store, cache=cache_folder(), tag="docs").name


if __name__ == "__main__":
    sys.exit(main())
