# SPDX-License-Identifier: Apache-2.0
"""Images for the runc driver: unpacked on this machine, from what the builders would load into an engine.

Blocking, as `store.py` is. `yett sandbox build --driver runc` and the tests call it.
"""

from __future__ import annotations

import json
import platform
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from yett.action import JsonObject
from yett.errors import SandboxUnavailable
from yett.sandbox.runc import Runc
from yett.sandbox.runc_images import ImageRoots
from yett.sandbox.settings import SandboxSettings

_PIECE = 1 << 20


class UnpackedImages:
    """The images of the runc driver on this machine (`images.store.Images`). A context manager."""

    def __init__(self, settings: SandboxSettings) -> None:
        """`settings.runc_images` is where they are."""
        self._driver = Runc(settings)
        self._roots = ImageRoots(
            Path(settings.runc_images),
            size=settings.image_size,
            files=settings.image_files,
            deadline=settings.engine_deadline,
        )

    def __enter__(self) -> Self:
        """Nothing is touched yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    def machine(self) -> str:
        """This machine, as its kernel names it."""
        return platform.machine()

    def inspect(self, image: str) -> JsonObject | None:
        """What is known of an image in the engine's words, or None."""
        found = self._roots.find(image)
        if found is None:
            return None
        size = sum(file.lstat().st_size for file in found.path.rglob("*") if not file.is_symlink())
        return {
            "Config": {"Labels": dict(found.labels)},
            "RootFS": {"Layers": [f"sha256:{found.digest}"]},
            "Size": size,
        }

    def labels(self, image: str) -> Mapping[str, str] | None:
        """The labels of an image, or None when there is no such image."""
        found = self._roots.find(image)
        return None if found is None else found.labels

    def load(self, archive: Path, *, name: str) -> None:
        """Take in an image of one layer as `docker save` writes it, in place of what had its name.

        Raises:
            SandboxUnavailable: it has no single layer, or one that can't be unpacked safely.
        """
        try:
            with (
                tarfile.open(archive, "r:") as tar,
                tempfile.TemporaryDirectory(prefix="yett-layer-") as scratch,
            ):
                (image,) = json.loads(_member(tar, "manifest.json"))
                config = cast("JsonObject", json.loads(_member(tar, image["Config"])))
                (layer,) = image["Layers"]
                unpacked = Path(scratch) / "layer.tar"
                _copy(tar, layer, unpacked)
                described = cast("JsonObject", config["config"])
                labels = cast("JsonObject", described.get("Labels") or {})
                self._roots.add(name, unpacked, {key: str(value) for key, value in labels.items()})
        except (KeyError, ValueError, TypeError, tarfile.TarError) as fault:
            raise SandboxUnavailable(f"load {name}: no image of one layer ({fault})") from fault
        self._roots.prune(self._driver.used_images)


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read(_PIECE)


def _copy(tar: tarfile.TarFile, name: str, to: Path) -> None:
    source = tar.extractfile(name)
    if source is None:
        raise KeyError(name)
    with to.open("wb") as target:
        while piece := source.read(_PIECE):
            target.write(piece)
