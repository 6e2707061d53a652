# SPDX-License-Identifier: Apache-2.0
"""What the base recipe asks for, and what an image says it holds of it; that is not trusted. Pure."""

from __future__ import annotations

import re

from yett.sandbox.images.sources import sources

PACKAGE_LIST = "etc/yett/packages"
"""Where `finish.sh` leaves every package's name, version and machine, a line each."""

_WORD = re.compile(r"[a-z0-9][a-z0-9.+-]*=[A-Za-z0-9.+~:-]+")


def wanted_packages() -> tuple[str, ...]:
    """What the recipe asks for by name."""
    return tuple((sources() / "base" / "packages").read_text().split())


def installed(package_list: bytes) -> tuple[str, ...]:
    """`name=version` of the wanted packages in a list that `finish.sh` wrote; all else is left out."""
    wanted = set(wanted_packages())
    words = []
    for line in package_list.decode("ascii", "replace").splitlines():
        name, _, rest = line.partition(" ")
        word = f"{name}={rest.partition(' ')[0]}"
        if name in wanted and _WORD.fullmatch(word):
            words.append(word)
    return tuple(words)
