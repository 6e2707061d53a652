# SPDX-License-Identifier: Apache-2.0
"""Shared by every test: asyncio is the only backend that the gate runs on; one running gateway."""

import pytest

from running import gate

__all__ = ["anyio_backend", "gate"]


@pytest.fixture
def anyio_backend():
    return "asyncio"
