# SPDX-License-Identifier: Apache-2.0
from runner_client import runner, runner_binary
from sandbox_world import anyio_backend, entropy, instance, run_dir, sandboxes_of, settings_of, tiny_image

__all__ = [
    "anyio_backend",
    "entropy",
    "instance",
    "run_dir",
    "runner",
    "runner_binary",
    "sandboxes_of",
    "settings_of",
    "tiny_image",
]
