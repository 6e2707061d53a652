# SPDX-License-Identifier: Apache-2.0
"""What the sandbox tests share: the tiny image, real sandboxes, and ids."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path

import anyio
import pytest

from yett.sandbox.engine import Engine
from yett.sandbox.images import build_tiny
from yett.sandbox.pool import DockerSandboxes
from yett.sandbox.settings import SandboxSettings


@pytest.fixture
def anyio_backend():
    return "asyncio"


class RealEntropy:
    """`ports.Entropy` over the operating system."""

    def id(self, prefix: str) -> str:
        return f"{prefix}-{secrets.token_hex(13)}"

    def token(self) -> str:
        return secrets.token_urlsafe(32)


@pytest.fixture
def entropy():
    return RealEntropy()


@pytest.fixture(scope="session")
def tiny_image():
    """The name of the tiny image, built once. Fails without an engine: that is meant."""

    async def build():
        engine = Engine(SandboxSettings(engine_deadline=60))
        try:
            return await build_tiny(engine, cache=Path(tempfile.gettempdir()) / "yett-test-cache", tag="test")
        finally:
            await engine.aclose()

    return anyio.run(build)[0]


@pytest.fixture
def run_dir():
    """Short, because a socket's path must fit into 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="yr"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings_of(tiny_image):
    def make(**changes) -> SandboxSettings:
        return SandboxSettings(**{"image": tiny_image, "spares": 0, "timeout": 20.0, **changes})

    return make


@pytest.fixture
def sandboxes_of(settings_of, run_dir, entropy):
    def make(**changes) -> DockerSandboxes:
        return DockerSandboxes(
            settings_of(**changes), instance=f"test-{secrets.token_hex(4)}", run_dir=run_dir, entropy=entropy
        )

    return make
