# SPDX-License-Identifier: Apache-2.0
"""The machines that images are built for, by the names Debian, the kernel and C compilers give them. Pure."""

from __future__ import annotations

import platform
from dataclasses import dataclass

from yett.errors import SandboxUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """One kind of machine.

    Attributes:
        name: Debian's and OCI's (`arm64`).
        machine: the kernel's (`aarch64`).
        triplet: of Debian's library folders and cross compilers.
        cross_packages: what compiles for it elsewhere.
    """

    name: str
    machine: str
    triplet: str
    cross_packages: str

    @property
    def emulator(self) -> str:
        """The program that runs its programs elsewhere."""
        return f"qemu-{self.machine}-static"

    @property
    def native(self) -> bool:
        """Whether this machine is of this kind."""
        return platform.machine() == self.machine


ARCHITECTURES = {
    known.name: known
    for known in (
        Architecture(
            name="amd64",
            machine="x86_64",
            triplet="x86_64-linux-gnu",
            cross_packages="gcc-x86-64-linux-gnu libc6-dev-amd64-cross make",
        ),
        Architecture(
            name="arm64",
            machine="aarch64",
            triplet="aarch64-linux-gnu",
            cross_packages="gcc-aarch64-linux-gnu libc6-dev-arm64-cross make",
        ),
    )
}


def architecture_named(name: str) -> Architecture:
    """By Debian's name or the kernel's.

    Raises:
        SandboxUnavailable: there is no recipe for it.
    """
    for known in ARCHITECTURES.values():
        if name in {known.name, known.machine}:
            return known
    raise SandboxUnavailable(
        f"There is no recipe for {name} machines.", advice=f"There is one for {', '.join(ARCHITECTURES)}."
    )
