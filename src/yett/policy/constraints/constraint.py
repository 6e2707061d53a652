# SPDX-License-Identifier: Apache-2.0
"""What every constraint is, and what its parser is told. Constraints are total: they never raise.

A value of the wrong type, or one that can't be read for certain, gives UNKNOWN and never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from yett.action import JsonValue
from yett.errors import ConfigurationError
from yett.policy.complaint import Path, complaint
from yett.policy.settings import PolicySettings
from yett.policy.truth import Truth


class Constraint(Protocol):
    """A test of one value."""

    @property
    def name(self) -> str:
        """The word in the file."""
        ...

    @property
    def expected(self) -> JsonValue:
        """What the file says after the word, for explanations."""
        ...

    @property
    def each(self) -> bool:
        """Whether a list is tested item by item (any of them for rules that restrict, all for others)."""
        ...

    @property
    def text_only(self) -> bool:
        """Whether numbers, booleans and null are certainly outside it, for `args.*` of a restriction."""
        ...

    def check(self, value: JsonValue) -> Truth:
        """Whether the value satisfies it."""
        ...

    def sentence(self) -> str:
        """How a person would say it after the name of the value: `is under /workspace`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the file a constraint stands, what it is about, and the limits in force.

    `restricts` says that the rule denies or escalates.
    """

    subject: str
    path: Path
    restricts: bool
    settings: PolicySettings

    def wrong(self, message: str) -> ConfigurationError:
        """The error for a bad expectation here."""
        return complaint(message, self.path)


def texts(expected: JsonValue, place: Place) -> tuple[str, ...]:
    """One text or a non-empty list of texts.

    Raises:
        ConfigurationError: anything else.
    """
    listed = expected if isinstance(expected, list) else [expected]
    found = tuple(item for item in listed if isinstance(item, str) and item)
    if not found or len(found) != len(listed):
        raise place.wrong(f"Expected a text or a non-empty list of texts, not {expected!r}.")
    return found


def listing(items: tuple[str, ...]) -> str:
    """Items for a sentence."""
    return ", ".join(items)
