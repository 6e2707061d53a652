# SPDX-License-Identifier: Apache-2.0
"""Finds an example, fits its configuration to a test and runs its program as its README says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from e2e.gateway import free_port

ROOT = Path(__file__).resolve().parents[2] / "examples"
LISTEN = "127.0.0.1:8787"


def configuration(name: str) -> tuple[str, str]:
    """The example's `yett.yaml` on a free port, and the URL that it then serves."""
    text = (ROOT / name / "yett.yaml").read_text(encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    return text.replace(LISTEN, address), f"http://{address}/mcp"


def run(program: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run an example's program with this environment's `yett` first in PATH."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, str(ROOT / program), *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PATH": path, **env},
    )
