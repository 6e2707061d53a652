# SPDX-License-Identifier: Apache-2.0
"""What a build says while it runs and when it is done, and the labels an image is known by. Values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

INPUTS_LABEL = "yett.inputs"
"""The digest of everything an image was made from: a build with equal inputs has nothing to do."""
RUNNER_LABEL = "yett.runner"
"""The version of the wire protocol that the runner inside speaks."""
PACKAGES_LABEL = "yett.packages"
"""What was asked for and came, as `name=version` words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a build has begun, or says a word about itself. `number` counts from 1."""

    number: int
    of: int
    title: str
    detail: str = ""


OnStep = Callable[[Step], None]


def silent(_: Step) -> None:
    """For callers that do not watch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image that can serve.

    Attributes:
        name: repository and tag.
        new: whether it was built now; otherwise it was there, from the same inputs.
        architecture: as Debian names it.
        size: bytes.
        layers: digests of its layers' archives: equal for equal content.
        packages: `name=version` of what it was asked to hold.
        notes: what a user of the image should know, a sentence each.
    """

    name: str
    new: bool
    architecture: str
    size: int
    layers: tuple[str, ...]
    packages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Steps:
    """Counts the steps of one build and hands them on."""

    def __init__(self, titles: tuple[str, ...], on_step: OnStep) -> None:
        """`titles` in the order in which they will be entered."""
        self._titles = titles
        self._on_step = on_step
        self._number = 0

    def enter(self) -> None:
        """The next step has begun."""
        self._number += 1
        self.detail("")

    def detail(self, text: str) -> None:
        """What the step is doing just now."""
        self._on_step(
            Step(
                number=self._number,
                of=len(self._titles),
                title=self._titles[self._number - 1],
                detail=text.strip()[:200],
            )
        )
