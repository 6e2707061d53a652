# SPDX-License-Identifier: Apache-2.0
"""Shared by every test: asyncio is the only backend that the gate runs on; the gateways that run."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from running import gate, shell_gate

sys.path.insert(0, str(Path(__file__).parent / "sandbox"))

from sandbox_world import tiny_image

settings.register_profile(
    "fuzz", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # `make fuzz`

__all__ = ["anyio_backend", "gate", "shell_gate", "tiny_image"]


@pytest.fixture
def anyio_backend():
    return "asyncio"
