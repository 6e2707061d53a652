# SPDX-License-Identifier: Apache-2.0
"""What every image of ours ends with: user, entry point and labels; and how one is known again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from yett.action import JsonObject
from yett.errors import SandboxUnavailable
from yett.sandbox.hardening import RUNNER, UID
from yett.sandbox.images.architecture import Architecture
from yett.sandbox.images.built import INPUTS_LABEL, PACKAGES_LABEL, RUNNER_LABEL, Built
from yett.sandbox.images.store import ImageStore
from yett.sandbox.wire import VERSION


def changes(
    labels: Mapping[str, str], packages: tuple[str, ...] = (), environment: Mapping[str, str] | None = None
) -> tuple[str, ...]:
    """Dockerfile instructions, in words that need no quoting."""
    every = {**labels, RUNNER_LABEL: str(VERSION)}
    lines = [f"LABEL {name}={value}" for name, value in sorted(every.items())]
    if packages:
        lines.append(f'LABEL {PACKAGES_LABEL}="{" ".join(packages)}"')
    lines += [f"ENV {name}={value}" for name, value in sorted((environment or {}).items())]
    return (*lines, f"USER {UID}:{UID}", f'ENTRYPOINT ["{RUNNER}"]', "CMD []", "HEALTHCHECK NONE")


def current(store: ImageStore, name: str, inputs: str) -> bool:
    """Whether the engine has this image from these inputs."""
    labels = store.labels(name)
    return labels is not None and labels.get(INPUTS_LABEL) == inputs


def described(
    store: ImageStore, name: str, *, new: bool, architecture: Architecture, notes: tuple[str, ...] = ()
) -> Built:
    """The image as the engine has it now.

    Raises:
        SandboxUnavailable: it does not have it.
    """
    found = store.inspect(name)
    if found is None:
        raise SandboxUnavailable(f"The engine has no {name} after it was built.")
    labels = cast("JsonObject", cast("JsonObject", found["Config"]).get("Labels") or {})
    layers = cast("list[str]", cast("JsonObject", found["RootFS"]).get("Layers") or [])
    return Built(
        name=name,
        new=new,
        architecture=architecture.name,
        size=int(cast("int", found["Size"])),
        layers=tuple(layers),
        packages=tuple(str(labels.get(PACKAGES_LABEL, "")).split()),
        notes=notes,
    )
