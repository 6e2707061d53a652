# SPDX-License-Identifier: Apache-2.0
"""Shared by every test: asyncio is the only backend that the gate runs on."""

import pytest


@pytest.fixture
def anyio_backend():
    return "asyncio"
