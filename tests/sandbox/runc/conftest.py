# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the sandbox's tests, with containers made by runc and no engine asked for anything."""

import io
import os
import secrets
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "attacks" / "sandbox"))

from sandbox_world import CACHE, anyio_backend, compiled, entropy, instance, run_dir, sandboxes_of

from yett.sandbox.images import build_tiny
from yett.sandbox.images.unpacked import UnpackedImages
from yett.sandbox.runc import Runc
from yett.sandbox.runc_images import ImageRoots
from yett.sandbox.settings import SandboxSettings

__all__ = ["anyio_backend", "entropy", "instance", "run_dir", "sandboxes_of"]


def pytest_collection_modifyitems(items):
    """Without an engine there is no stream of an engine's: of both ways to a container one is left."""
    here = str(Path(__file__).parent)
    items[:] = [
        item
        for item in items
        if not str(item.path).startswith(here)
        or "attach" not in getattr(getattr(item, "callspec", None), "params", {}).values()
    ]


@pytest.fixture(scope="session")
def folders():
    """Images and state of this run alone. Not below pytest's folder, which containers cannot pass through."""
    images = Path(tempfile.mkdtemp(prefix="yett-images-"))
    images.chmod(0o755)
    state = Path(tempfile.mkdtemp(prefix="yett-runc-", dir="/run" if os.access("/run", os.W_OK) else None))
    yield {"runc_images": str(images), "runc_state": str(state)}
    shutil.rmtree(images)
    shutil.rmtree(state)


@pytest.fixture(scope="session")
def attack_program(tmp_path_factory):
    """attack.c, compiled: what an attacker brings along."""
    source = Path(__file__).parents[2] / "attacks" / "sandbox" / "attack.c"
    return compiled(source, tmp_path_factory.mktemp("attack"))


@pytest.fixture(scope="session")
def tiny_image(folders):
    """The name of the tiny image, unpacked once. Fails without root and runc: that is meant."""
    settings = SandboxSettings(driver="runc", engine_deadline=60, **folders)
    with UnpackedImages(settings) as images:
        return build_tiny(images, cache=CACHE, tag="test").name


@pytest.fixture
def settings_of(tiny_image, folders):
    def make(**changes) -> SandboxSettings:
        calm = {
            "driver": "runc",
            "engine": "unix:///nonexistent/engine.sock",
            "image": tiny_image,
            "warm": 0,
            "timeout": 20.0,
            "kill_grace": 5.0,
            "engine_deadline": 30.0,
            **folders,
        }
        return SandboxSettings(**{**calm, **changes})

    return make


@pytest.fixture
def driver_with(settings_of):
    """A driver, and a name for a container that nobody else has."""

    def make(**changes):
        return Runc(settings_of(**changes)), f"yett-{secrets.token_hex(6)}"

    return make


@pytest.fixture
def containers_of(settings_of):
    """Names of a gateway's containers: everything of them that is on this machine must be gone."""

    def look(instance):
        known = Runc(settings_of())._known()
        return [name for name, each in known.items() if each["labels"].get("yett.gateway") == instance]

    return look


@pytest.fixture
def empty_image(settings_of):
    """An image without a runner."""
    archive = io.BytesIO()
    tarfile.open(fileobj=archive, mode="w").close()
    settings = settings_of()
    limits = {"size": settings.image_size, "files": settings.image_files, "deadline": 10.0}
    ImageRoots(Path(settings.runc_images), **limits).add("yett/empty:test", archive.getvalue(), {})
    return "yett/empty:test"
