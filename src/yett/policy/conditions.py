# SPDX-License-Identifier: Apache-2.0
"""One condition of a rule: a subject and a constraint, and its three-valued truth for a call.

Missing, unreadable and of the wrong type are UNKNOWN. So is whatever goes wrong in here: this is the
one place of the room where every exception of a condition is caught, because law 2 says what an
error means (a restriction matches, an opening does not).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from yett.action import JsonValue
from yett.policy.constraints.constraint import Constraint
from yett.policy.constraints.equality import Exists
from yett.policy.subjects import MISSING, CallView, Seen, Subject
from yett.policy.truth import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A subject and what is demanded of it. `restricts` is true in rules that deny or escalate."""

    subject: Subject
    constraint: Constraint
    restricts: bool

    def truth(self, view: CallView) -> Truth:
        """Whether it holds for the call. Never raises."""
        known = view.truths.get(id(self))
        if known is None:
            try:
                known = self._truth(self.subject.read(view))
            except Exception:  # noqa: BLE001 - law 2: an error inside a condition is UNKNOWN
                known = Truth.UNKNOWN
            view.truths[id(self)] = known
        return known

    def seen(self, view: CallView) -> JsonValue:
        """What it looks at, for explanations; None when there is nothing to show."""
        try:
            values = [None if value is MISSING else value for value in self.subject.read(view)]
        except Exception:  # noqa: BLE001 - as in `truth`
            return None
        return values if self.subject.many else values[0]

    def sentence(self) -> str:
        """In words: `args.path is under /workspace`."""
        every = ("any of " if self.restricts else "all of ") if self.subject.many else ""
        return f"{every}{self.subject.text} {self.constraint.sentence()}"

    def _truth(self, values: tuple[Seen, ...]) -> Truth:
        if isinstance(self.constraint, Exists):
            return self._existence(self.constraint, values)
        if not self.subject.many:
            return self._one(values[0])
        return self._quantified(self._one(value) for value in values if not self._is_outside(value))

    def _existence(self, constraint: Exists, values: tuple[Seen, ...]) -> Truth:
        present = any(value is not MISSING for value in values)
        if not present and self.subject.is_fact:
            return Truth.UNKNOWN
        return Truth.of(present is constraint.wanted)

    def _one(self, value: Seen) -> Truth:
        if value is MISSING:
            return Truth.UNKNOWN
        if isinstance(value, list) and self.constraint.each:
            return self._quantified(self.constraint.check(item) for item in value)
        return self.constraint.check(value)

    def _quantified(self, verdicts: Iterable[Truth]) -> Truth:
        """Any value for a restriction, all of them for the others; never true of nothing."""
        pick = max if self.restricts else min
        return pick(verdicts, default=Truth.FALSE)

    def _is_outside(self, value: Seen) -> bool:
        """Whether a restriction on `args.*` can pass over a value: no number is a path."""
        return (
            self.restricts
            and self.constraint.text_only
            and (value is None or isinstance(value, bool | int | float))
        )
