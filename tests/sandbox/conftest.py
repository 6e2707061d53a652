# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from host_folder import project, writable
from runner_client import runner, runner_binary
from sandbox_world import anyio_backend, entropy, instance, run_dir, sandboxes_of, settings_of, tiny_image

__all__ = [
    "anyio_backend",
    "entropy",
    "instance",
    "project",
    "run_dir",
    "runner",
    "runner_binary",
    "sandboxes_of",
    "settings_of",
    "tiny_image",
    "writable",
]

RUNTIMES = Path(__file__).parent / "runtimes"


def pytest_ignore_collect(collection_path, config):
    """What needs a runtime that the engine must be told of first is run by its own target, `make runsc`."""
    if collection_path != RUNTIMES:
        return None
    asked = [Path(str(arg).partition("::")[0]).resolve() for arg in config.args]
    return None if any(path.is_relative_to(RUNTIMES) for path in asked) else True
