# SPDX-License-Identifier: Apache-2.0
"""Shared by every test: asyncio is the only backend that the gate runs on; the gateways that run."""

import sys
from pathlib import Path

import pytest

from running import gate, shell_gate

sys.path.insert(0, str(Path(__file__).parent / "sandbox"))

from sandbox_world import tiny_image

__all__ = ["anyio_backend", "gate", "shell_gate", "tiny_image"]


@pytest.fixture
def anyio_backend():
    return "asyncio"
