# SPDX-License-Identifier: Apache-2.0
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "sandbox"))

from host_folder import project, writable
from sandbox_world import (
    anyio_backend,
    entropy,
    instance,
    run_dir,
    sandboxes_of,
    settings_of,
    tiny_image,
)

__all__ = [
    "anyio_backend",
    "entropy",
    "instance",
    "project",
    "run_dir",
    "sandboxes_of",
    "settings_of",
    "tiny_image",
    "writable",
]
