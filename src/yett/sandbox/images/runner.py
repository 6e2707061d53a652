# SPDX-License-Identifier: Apache-2.0
"""Compiles the runner, once for the same sources and machine, into a folder of ours.

`tiny`, `base` and own images call it. It runs our Makefile and nothing else.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from yett.errors import SandboxUnavailable
from yett.sandbox.images.architecture import Architecture
from yett.sandbox.images.elf import read_linkage
from yett.sandbox.images.sources import digest_of_files, runner_sources, sources

_DEADLINE = 120.0


def runner_inputs() -> bytes:
    """What stands for the runner in the digest of an image's inputs."""
    return digest_of_files(runner_sources()).encode()


def compile_runner(cache: Path, architecture: Architecture | None = None) -> Path:
    """The runner, compiled into `cache` unless it is there for the same sources.

    Args:
        cache: a folder of ours; made when it is missing.
        architecture: of the machine it is for; this one's by default.

    Raises:
        SandboxUnavailable: no static C compiler, or it failed.
    """
    cross = architecture is not None and not architecture.native
    suffix = f"-{architecture.name}" if architecture is not None and cross else ""
    runner = cache / f"yett-runner-{runner_inputs().decode()[:16]}{suffix}"
    if runner.exists():
        return runner
    if architecture is not None and cross:
        compiler, wanted = shutil.which(f"{architecture.triplet}-gcc"), architecture.cross_packages
    else:
        compiler, wanted = shutil.which("musl-gcc") or shutil.which("gcc"), "musl-tools make"
    make = shutil.which("make")
    if compiler is None or make is None:
        machine = f" for {architecture.name}" if architecture is not None and cross else ""
        raise SandboxUnavailable(
            f"There is no C compiler{machine} for the sandbox's runner.", advice=f"apt-get install {wanted}"
        )
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = runner.with_suffix(".part")
    _make(make, f"CC={compiler}", f"OUT={unfinished}")
    if read_linkage(unfinished.read_bytes(), str(unfinished)).interpreter:
        raise SandboxUnavailable(
            "The sandbox's runner was not linked statically.", advice=f"apt-get install {wanted}"
        )
    unfinished.replace(runner)
    return runner


def _make(make: str, *variables: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603  (our own Makefile)
            [make, "-s", "-B", "-C", str(sources() / "runner"), *variables],
            capture_output=True,
            text=True,
            timeout=_DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SandboxUnavailable("Compiling the sandbox's runner took too long.") from None
    if done.returncode:
        raise SandboxUnavailable(f"The sandbox's runner does not compile: {done.stderr.strip()[-500:]}")
