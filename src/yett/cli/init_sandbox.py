# SPDX-License-Identifier: Apache-2.0
"""Which sandbox this machine can have: a container engine's, else runc's alone, else none.

`yett init` writes what is found here. The image `tiny` is built where it is missing; `base` is taken where
somebody has built it.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from yett.cli.sandbox_build import cache_folder
from yett.errors import EnvironmentFault
from yett.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from yett.sandbox.images import Images

TINY = "yett/tiny"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundSandbox:
    """What `tools.shell` is to say, and what was seen."""

    driver: str
    image: str
    seen: str

    @property
    def settings(self) -> str:
        """`tools.shell` as YAML."""
        driver = "" if self.driver == "docker" else f"driver: {self.driver}, "
        return f"{{ {driver}image: {self.image} }}"


def find_sandbox() -> FoundSandbox:
    """What shell and file tools can run in here.

    Raises:
        EnvironmentFault: neither an engine nor runc; the engine's reason, since that is what most have.
    """
    from yett.sandbox.images import ImageStore  # noqa: PLC0415 - see commands.py

    try:
        with ImageStore(SandboxSettings().engine) as store:
            image = _image(store)
        return FoundSandbox(driver="docker", image=image, seen="Container engine: answers")
    except EnvironmentFault:
        found = _without_an_engine()
        if found is None:
            raise
        return found


def _without_an_engine() -> FoundSandbox | None:
    """The runc driver, for root on a machine with a runc that may be used."""
    if os.geteuid() != 0:
        return None
    from yett.sandbox.images.unpacked import UnpackedImages  # noqa: PLC0415 - see commands.py
    from yett.sandbox.runc import Runc  # noqa: PLC0415 - see commands.py

    settings = SandboxSettings(driver="runc")

    async def version() -> str:
        driver = Runc(settings)
        try:
            return (await driver.facts()).version
        finally:
            await driver.aclose()

    with contextlib.suppress(EnvironmentFault):
        seen = f"No container engine answers; {anyio.run(version)} makes containers without one"
        with UnpackedImages(settings) as images:
            return FoundSandbox(driver="runc", image=_image(images), seen=seen)
    return None


def _image(store: Images) -> str:
    """The base image if there is one of this version, else tiny, which is built if need be."""
    from yett.sandbox.images import BASE, RUNNER_LABEL, build_tiny  # noqa: PLC0415 - see commands.py

    built = build_tiny(store, cache=cache_folder())
    mine = (store.labels(built.name) or {}).get(RUNNER_LABEL)
    return BASE if (store.labels(BASE) or {}).get(RUNNER_LABEL, "") == mine else TINY
