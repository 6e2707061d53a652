# SPDX-License-Identifier: Apache-2.0
"""Docker engines of the test's own, started and stopped here, beside the one of the machine.

`make engines` runs these; they need root, and are not in the default collection. Nothing of the machine's
own engine or configuration is touched: data, sockets and the tables of users are the engine's own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "sandbox"))

from sandbox_world import CACHE, anyio_backend, entropy, instance, run_dir

from yett.sandbox.engine import Engine
from yett.sandbox.images import build_tiny
from yett.sandbox.settings import SandboxSettings

__all__ = ["anyio_backend", "engine_of", "entropy", "instance", "remapped", "rootless", "run_dir"]

START = 60.0


@contextmanager
def engine_of(command, folder: Path):
    """A dockerd that answers at `folder`/s; everything of it is gone afterwards."""
    address = f"unix://{folder}/s"
    log = (folder / "log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        end = time.monotonic() + START
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail("the engine did not start:\n" + (folder / "log").read_text()[-3000:])
            time.sleep(0.1)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        log.close()


def _answers(address: str) -> bool:
    done = subprocess.run(["docker", "-H", address, "version"], capture_output=True, timeout=20, check=False)
    return done.returncode == 0


def with_image(address: str) -> str:
    """The tiny image in an engine; its name."""

    async def build():
        engine = Engine(SandboxSettings(engine=address, engine_deadline=120))
        try:
            return await build_tiny(engine, cache=CACHE, tag="test")
        finally:
            await engine.aclose()

    return anyio.run(build)[0]


def _folder() -> tuple[Path, str]:
    """A folder for an engine, and the shell words that give its processes tables of users of their own."""
    folder = Path(tempfile.mkdtemp(prefix="yd"))
    folder.chmod(0o711)  # its users have to come through
    for table in ("subuid", "subgid"):
        (folder / table).write_text("nobody:200000:65536\nnogroup:200000:65536\n")
    (folder / "none.json").write_text("{}")
    tables = f"mount --bind {folder}/subuid /etc/subuid && mount --bind {folder}/subgid /etc/subgid"
    return folder, tables


def _dockerd(folder: Path) -> str:
    return (
        f"dockerd --config-file {folder}/none.json --data-root {folder}/data --exec-root {folder}/x"
        f" --pidfile {folder}/pid -H unix://{folder}/s --bridge=none --iptables=false"
    )


def _apart(script: str) -> list[str]:
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", script]


@pytest.fixture(scope="session")
def remapped():
    """An engine whose containers' users are 200000 and on, and the name of the image in it."""
    folder, tables = _folder()
    try:
        with engine_of(
            _apart(f"{tables} && exec {_dockerd(folder)} --userns-remap=nobody:nogroup"), folder
        ) as address:
            yield address, with_image(address)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def rootless():
    """An engine that runs as the user nobody below rootlesskit, and the name of the image in it."""
    if shutil.which("rootlesskit") is None or shutil.which("newuidmap") is None:
        pytest.fail("a rootless engine needs: apt-get install rootlesskit uidmap")
    folder, tables = _folder()
    for name in ("home", "run"):
        (folder / name).mkdir(mode=0o700)
        shutil.chown(folder / name, 65534, 65534)
    shutil.chown(folder, 65534, 65534)
    nobody = (
        f"setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH=$PATH HOME={folder}/home"
        f" XDG_RUNTIME_DIR={folder}/run"
    )
    kit = (
        f"rootlesskit --net=host --copy-up=/etc --copy-up=/run --propagation=rslave --state-dir={folder}/kit"
    )
    inside = f"rm -rf /run/docker /run/containerd; exec {_dockerd(folder)} --rootless --storage-driver=vfs"
    try:
        with engine_of(_apart(f"{tables} && exec {nobody} {kit} sh -c '{inside}'"), folder) as address:
            yield address, with_image(address)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
