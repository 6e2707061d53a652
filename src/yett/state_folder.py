# SPDX-License-Identifier: Apache-2.0
"""The gateway's own folder: private, locked by one process, with the keys that survive restarts.

It must never be where an agent reaches (`config/load.py` refuses that). Called by `app.py`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from yett.errors import ConfigurationError, EnvironmentFault
from yett.shim import EXIT_LOCKED

KEY_BYTES = 32


class AlreadyRunning(EnvironmentFault):
    """Another gateway holds this state folder."""

    exit_code = EXIT_LOCKED


def prepare(state: Path) -> None:
    """Make the state folder, for this user alone.

    Raises:
        EnvironmentFault: others can look into it, or it can't be made.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        if state.stat().st_mode & 0o077:
            raise EnvironmentFault(f"others can look into {state}", advice=f"chmod 700 {state}")
    except OSError as error:
        raise EnvironmentFault(f"can't use the state folder {state}: {error.strerror}") from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the state folder for as long as this process lives; the kernel lets go when it dies.

    Raises:
        AlreadyRunning: another process holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(f"another gateway holds {path.parent}") from error
        yield
    finally:
        os.close(descriptor)


def key_in(path: Path) -> bytes:
    """32 random bytes that survive restarts, readable by this user alone."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise EnvironmentFault(
                f"{path} is not a key of this gate", advice=f"remove it: rm {path}"
            ) from None
        return key
    with os.fdopen(descriptor, "wb") as file:
        key = os.urandom(KEY_BYTES)
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key


def instance_of(state: Path) -> str:
    """Names this state folder to the container engine, also after a restart."""
    return hashlib.sha256(str(state.resolve()).encode()).hexdigest()[:16]


def run_dir_of(state: Path) -> Path:
    """Where sandbox sockets live: short, because the kernel takes 107 bytes; ours alone.

    Raises:
        EnvironmentFault: somebody else made the folder first. The engine mounts what lies in it as root.
    """
    base = Path("/run")
    if not os.access(base, os.W_OK):
        base = own_folder(Path(f"/tmp/yett-{os.getuid()}"))  # noqa: S108 - checked to be ours
    return base / f"yett-{instance_of(state)}"


def check_apart(workspace: Path, run_dir: Path, engine: str) -> None:
    """See that a workspace holds none of the sockets by which containers are made and spoken to (law 7).

    Raises:
        ConfigurationError: it does, or they hold it.
    """
    sockets = [run_dir]
    if engine.startswith("unix://"):
        sockets.append(Path(engine.removeprefix("unix://")).resolve())
    for place in sockets:
        if place.is_relative_to(workspace) or workspace.is_relative_to(place):
            raise ConfigurationError(
                f"the workspace {workspace} and the sockets of the sandbox ({place}) overlap",
                path=("tools", "shell", "workspace"),
                advice="name another folder",
            )


def own_folder(path: Path) -> Path:
    """A folder that this user made and nobody else can enter.

    Raises:
        EnvironmentFault: it is somebody else's.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise EnvironmentFault(f"{path} is not this user's alone", advice=f"remove it: rm -r {path}")
    return path
