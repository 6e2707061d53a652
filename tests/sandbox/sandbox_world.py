# SPDX-License-Identifier: Apache-2.0
"""What the sandbox tests and the sandbox attacks share: the tiny image, real sandboxes, the host's view."""

from __future__ import annotations

import hashlib
import platform
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

import anyio
import docker
import pytest

from yett.ports import Command
from yett.sandbox.images import ImageStore, build_tiny
from yett.sandbox.pool import DockerSandboxes
from yett.sandbox.settings import SandboxSettings

CACHE = Path(tempfile.gettempdir()) / "yett-test-cache"
TAG = f"test-{hashlib.sha256(__file__.encode()).hexdigest()[:8]}"
"""A checkout's own: two checkouts on one machine may have different runners."""


class RealEntropy:
    """`ports.Entropy` over the operating system."""

    def id(self, prefix: str) -> str:
        return f"{prefix}-{secrets.token_hex(13)}"

    def token(self) -> str:
        return secrets.token_urlsafe(32)


def sh(script: str, **more) -> Command:
    """A command line for the container's shell."""
    return Command(argv=("/bin/sh", "-c", script), **more)


def marker() -> str:
    """A number of seconds to sleep that no other process of this machine sleeps."""
    return f"9{secrets.randbelow(10**8):08d}"


def on_host(text: str) -> list[int]:
    """The pids of this machine whose command line has the text in it."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if text.encode() in words:
                found.append(int(folder.name))
    return found


async def until(condition, seconds: float = 30.0) -> None:
    """Wait for a condition; fail when it does not come true in time."""
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110  (the condition is the host's, there is no event)
            await anyio.sleep(0.01)


def containers_of(instance: str) -> list[str]:
    """Ids of the containers of a gateway, running or not."""
    client = docker.APIClient(timeout=30)
    try:
        found = client.containers(all=True, filters={"label": f"yett.gateway={instance}"})
        return [c["Id"] for c in found]
    finally:
        client.close()


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def entropy():
    return RealEntropy()


@pytest.fixture(scope="session")
def tiny_image():
    """The name of the tiny image, built once. Fails without an engine: that is meant."""
    with ImageStore(SandboxSettings().engine) as store:
        return build_tiny(store, cache=CACHE, tag=TAG).name


@pytest.fixture
def run_dir():
    """Short, because a socket's path must fit into 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="yr"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings_of(tiny_image):
    def make(**changes) -> SandboxSettings:
        # Generous where a slow machine would otherwise decide: what is meant to be tight, a test says.
        calm = {"image": tiny_image, "warm": 0, "timeout": 20.0, "kill_grace": 5.0, "engine_deadline": 30.0}
        return SandboxSettings(**{**calm, **changes})

    return make


@pytest.fixture
def instance():
    return f"test-{secrets.token_hex(6)}"


@pytest.fixture
def sandboxes_of(settings_of, run_dir, entropy, instance):
    def make(**changes) -> DockerSandboxes:
        return DockerSandboxes(settings_of(**changes), instance=instance, run_dir=run_dir, entropy=entropy)

    return make


def compiled(source: Path, folder: Path) -> bytes:
    """A static program from one C file. musl has no kernel headers of its own."""
    compiler = shutil.which("musl-gcc") or shutil.which("gcc")
    headers = ["-idirafter", "/usr/include", "-idirafter", f"/usr/include/{platform.machine()}-linux-gnu"]
    program = folder / source.stem
    subprocess.run([compiler, "-static", "-Os", *headers, "-o", str(program), str(source)], check=True)
    return program.read_bytes()


async def echo(stream, principal):
    """A forward that gives back what a program sends."""
    async with stream:
        while True:
            try:
                await stream.send(await stream.receive())
            except anyio.EndOfStream:
                return
