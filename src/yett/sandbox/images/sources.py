# SPDX-License-Identifier: Apache-2.0
"""Where the runner's source, the seccomp profile and the recipes are, in a wheel or in a checkout."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def sources() -> Path:
    """The folder `sandbox_images` of a checkout, or what a wheel carries of it."""
    packaged = Path(__file__).parent / "recipes"
    return packaged if packaged.is_dir() else Path(__file__).parents[4] / "sandbox_images"


def seccomp_profile() -> str:
    """The seccomp profile as compact JSON text, as the Engine API takes it."""
    return json.dumps(json.loads((sources() / "seccomp.json").read_text()), separators=(",", ":"))


def runner_sources() -> dict[str, bytes]:
    """What the runner is compiled from: C files and the Makefile, by name."""
    folder = sources() / "runner"
    return {path.name: path.read_bytes() for path in [*sorted(folder.glob("*.[ch]")), folder / "Makefile"]}


def base_recipe() -> dict[str, bytes]:
    """The files of the base image's recipe, by name."""
    folder = sources() / "base"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".md"}


def digest(*parts: bytes) -> str:
    """SHA-256 of several byte strings; where one ends and the next begins is part of it."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()


def digest_of_files(files: dict[str, bytes]) -> str:
    """SHA-256 of files and their names."""
    return digest(*(part for name in sorted(files) for part in (name.encode(), files[name])))
