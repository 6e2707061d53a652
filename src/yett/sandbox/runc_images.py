# SPDX-License-Identifier: Apache-2.0
"""Unpacked images for the runc driver: one read-only folder for each content, shared by all its containers.

    FOLDER/lock                    shared while a container is got ready, exclusive while a name changes
    FOLDER/building                held by whoever unpacks or removes
    FOLDER/names/NAME.json         the digest of an image's archive and its labels
    FOLDER/roots/DIGEST/           the file system

The folder is the machine's, not one gateway's, as an engine's images are. Every user may pass through it (the
container's root has to reach it), nobody but root may write. Blocking; `runc.py` calls it.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import stat
import tarfile
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote

from yett.errors import SandboxUnavailable
from yett.sandbox.runc_unpack import unpack

_BUILD_DEADLINE = 600.0
_PAUSE = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRoot:
    """An image: where its file system is, the SHA-256 of the archive it was made from, its labels."""

    path: Path
    digest: str
    labels: Mapping[str, str]


class ImageRoots:
    """The images of this machine.

    Args:
        folder: made when the first image is.
        size: bytes of an image, at most.
        files: entries of an image, at most.
        deadline: seconds to wait for another gateway that holds the lock.
    """

    def __init__(self, folder: Path, *, size: int, files: int, deadline: float) -> None:
        """Nothing is touched yet."""
        self._deadline = deadline
        self._folder = folder
        self._names = folder / "names"
        self._roots = folder / "roots"
        self._size = size
        self._files = files

    def find(self, image: str) -> ImageRoot | None:
        """The image of a name, or None."""
        try:
            known = json.loads(self._name(image).read_text())
        except FileNotFoundError:
            return None
        digest = str(known["digest"])
        return ImageRoot(
            path=self._roots / digest, digest=digest, labels=cast("dict[str, str]", known["labels"])
        )

    def add(self, image: str, archive: bytes | Path, labels: Mapping[str, str]) -> ImageRoot:
        """Unpack an archive unless that was done, and give it a name.

        Args:
            image: repository and tag.
            archive: a tar archive of a whole file system, or where one is.
            labels: of the image.

        Raises:
            SandboxUnavailable: no archive, one that is not safe, or a folder that others could write to.
        """
        self._prepare()
        digest = _digest(archive)
        root = self._roots / digest
        with self._held("building", fcntl.LOCK_EX, _BUILD_DEADLINE):
            if not root.exists():
                self._unpack(archive, root)
            known = {"digest": digest, "labels": dict(labels)}
            unfinished = self._name(image).with_suffix(".part")
            unfinished.write_text(json.dumps(known))
            with self._held("lock", fcntl.LOCK_EX, self._deadline):
                unfinished.replace(self._name(image))
        return ImageRoot(path=root, digest=digest, labels=dict(labels))

    def prune(self, used: Callable[[], Collection[str]]) -> None:
        """Remove every file system that has no name and whose digest no container uses.

        `used` is asked when no other image can lose its name any more.
        """
        with self._held("building", fcntl.LOCK_EX, _BUILD_DEADLINE):
            with self._held("lock", fcntl.LOCK_EX, self._deadline):
                kept = set(used())
            named = {str(json.loads(name.read_text())["digest"]) for name in self._names.glob("*.json")}
            for root in self._roots.iterdir():
                if root.name not in named | kept:
                    shutil.rmtree(root, ignore_errors=True)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """While this is held, no name changes and what it stands for is not removed.

        Raises:
            SandboxUnavailable: somebody is changing one for too long.
        """
        with self._held("lock", fcntl.LOCK_SH, self._deadline):
            yield

    def check(self) -> None:
        """See that containers can reach the folder and that nobody but this user can change it.

        Raises:
            SandboxUnavailable: which folder is closed or open, and the command.
        """
        for folder in (self._folder, *self._folder.parents):
            found = folder.stat()
            if not found.st_mode & stat.S_IXOTH:
                raise SandboxUnavailable(
                    f"Containers cannot reach their image: {folder} is closed to other users.",
                    advice=f"Choose a folder that is not below it, or: chmod o+x {folder}",
                )
            if found.st_uid not in {0, os.geteuid()} or (
                found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
            ):
                raise SandboxUnavailable(
                    f"Others could change the images: {folder} is writable for them.",
                    advice=f"chown root {folder} && chmod go-w {folder}",
                )

    @contextmanager
    def _held(self, name: str, how: int, seconds: float) -> Iterator[None]:
        # Closed to others: to hold a lock one need only be able to read the file.
        lock = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            until = time.monotonic() + seconds
            while True:
                try:
                    fcntl.flock(lock, how | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise SandboxUnavailable(
                            f"Another process holds {self._folder / name}.",
                            advice=f"fuser {self._folder / name}",
                        ) from None
                    time.sleep(_PAUSE)
            yield
        finally:
            os.close(lock)

    def _prepare(self) -> None:
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in (self._roots, self._names):
            folder.mkdir(mode=0o755, exist_ok=True)
        self.check()

    def _unpack(self, archive: bytes | Path, root: Path) -> None:
        unfinished = Path(tempfile.mkdtemp(prefix=".part-", dir=self._roots))
        try:
            try:
                with _opened(archive) as file, tarfile.open(fileobj=file, mode="r:") as tar:
                    unpack(tar, unfinished, size=self._size, files=self._files)
            except tarfile.TarError as fault:
                raise SandboxUnavailable(f"The image's archive is no tar archive: {fault}") from fault
            unfinished.replace(root)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _name(self, image: str) -> Path:
        return self._names / f"{quote(image, safe='')}.json"


def _opened(archive: bytes | Path) -> BinaryIO:
    return archive.open("rb") if isinstance(archive, Path) else io.BytesIO(archive)


def _digest(archive: bytes | Path) -> str:
    whole = hashlib.sha256()
    with _opened(archive) as file:
        while chunk := file.read(1 << 20):
            whole.update(chunk)
    return whole.hexdigest()
