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
from yett.sandbox.images.store import Images
from yett.sandbox.wire import VERSION

EPOCH = "2025-01-01T00:00:00Z"
"""The time that images say they were made."""


def every_label(labels: Mapping[str, str], packages: tuple[str, ...]) -> dict[str, str]:
    """Labels of an image, with the runner's version and, where it is known, what it holds."""
    held = {PACKAGES_LABEL: " ".join(packages)} if packages else {}
    return {**labels, **held, RUNNER_LABEL: str(VERSION)}


def instructions(labels: Mapping[str, str]) -> tuple[str, ...]:
    """The end as Dockerfile instructions. Values are words of our own choice: they need no escape."""
    return (
        *(f'LABEL {name}="{value}"' for name, value in sorted(labels.items())),
        f"USER {UID}:{UID}",
        f'ENTRYPOINT ["{RUNNER}"]',
        "CMD []",
        "HEALTHCHECK NONE",
    )


def image_config(
    layer: str, architecture: Architecture, labels: Mapping[str, str], environment: Mapping[str, str]
) -> JsonObject:
    """The end as an image's configuration, in OCI's words. Equal layers give equal images: it says no time.

    Args:
        layer: the digest of the one layer's archive, in hexadecimal.
        architecture: of the machine it is for.
        labels: all of them.
        environment: of what `docker run` starts; a sandbox's programs get the gateway's.
    """
    return {
        "architecture": architecture.name,
        "os": "linux",
        "created": EPOCH,
        "config": {
            "User": f"{UID}:{UID}",
            "Entrypoint": [RUNNER],
            "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
            "Labels": dict(labels),
            "Healthcheck": {"Test": ["NONE"]},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created": EPOCH, "created_by": "yett sandbox build"}],
    }


def current(store: Images, name: str, inputs: str) -> bool:
    """Whether the engine has this image from these inputs."""
    labels = store.labels(name)
    return labels is not None and labels.get(INPUTS_LABEL) == inputs


def described(
    store: Images, name: str, *, new: bool, architecture: Architecture, notes: tuple[str, ...] = ()
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
