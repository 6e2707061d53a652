# SPDX-License-Identifier: Apache-2.0
"""Outside of `tests/` because it needs the base image: `make test-images` builds that first."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "sandbox"))

from sandbox_world import anyio_backend, entropy, instance, run_dir, sandboxes_of, settings_of, tiny_image

from yett.sandbox.images import ImageStore
from yett.sandbox.settings import SandboxSettings

__all__ = ["anyio_backend", "entropy", "instance", "run_dir", "sandboxes_of", "settings_of", "tiny_image"]


@pytest.fixture
def store():
    with ImageStore(SandboxSettings().engine) as found:
        yield found
