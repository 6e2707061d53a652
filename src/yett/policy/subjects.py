# SPDX-License-Identifier: Apache-2.0
"""What a condition looks at: `args.path`, `agent.team`, `source.ip`, `sql.verbs`, and how it is read.

Reads the values of one call and never changes them. What is not there is MISSING, which is not the
same as null or empty. `*` inside `args.` is every item at that place; at the end, every value below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from yett.action import Action, Facts, JsonValue
from yett.policy.complaint import Path, complaint, unknown_word
from yett.policy.constraints.registry import CONSTRAINTS
from yett.policy.facts.table import facts_of
from yett.policy.settings import PolicySettings
from yett.policy.truth import Truth


class Missing(Enum):
    """The value of what is not there."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
Seen: TypeAlias = "JsonValue | Missing"

_SET = frozenset({"any_of", "subset_of", "max_len", "exists"})
_NAME = frozenset({"eq", "in", "not_in", "exists", "any_of", "subset_of"})
_NUMBER = frozenset({"eq", "in", "not_in", "min", "max", "between", "exists"})
_PATH = frozenset({"eq", "in", "not_in", "under", "match", "not_match", "max_len", "exists"})
_ANYTHING = frozenset(CONSTRAINTS)

FACTS: Mapping[str, frozenset[str]] = {
    "path": _PATH,
    "http.scheme": _NAME,
    "http.host": _NAME | {"host_in"},
    "http.port": _NUMBER,
    "http.path": _PATH,
    "http.method": _NAME,
    "sql.verbs": _SET,
    "sql.tables": _SET,
    "sql.functions": _SET,
    "sql.statements": _NUMBER,
}
"""The facts of this version and the constraints that make sense for each."""

CONTEXT: Mapping[str, frozenset[str]] = {
    "user": _NAME | {"match"},
    "task": _NAME,
    "session.labels": _SET,
    "source.ip": frozenset({"eq", "in", "not_in", "exists"}),
    "time": frozenset({"between"}),
    "transport": _NAME,
}
"""What is known of a call besides its arguments."""

_LATER_FAMILIES = frozenset({"shell", "count", "total"})


class CallView:
    """One call as conditions see it.

    Made for each decision and never shared, so that facts are parsed once and calls never mix.
    `truths` remembers conditions, by identity: they live as long as the policy.
    """

    __slots__ = ("_facts", "_settings", "action", "attributes", "truths")

    def __init__(self, action: Action, attributes: Mapping[str, JsonValue], settings: PolicySettings) -> None:
        self.action = action
        self.attributes = attributes
        self.truths: dict[int, Truth] = {}
        self._settings = settings
        self._facts: Facts | None = None

    @property
    def facts(self) -> Facts:
        """The facts of the call, parsed when first asked for."""
        if self._facts is None:
            self._facts = facts_of(self.action.name, self.action.arguments, self._settings)
        return self._facts

    @property
    def max_leaves(self) -> int:
        """How many values `args.*` looks at."""
        return self._settings.max_leaves


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One subject. `keys` is the path below `args` or the attribute of `agent`."""

    text: str
    family: str
    keys: tuple[str, ...]

    @property
    def is_fact(self) -> bool:
        """Whether a parser finds it; then absence means that it could not be read."""
        return self.family == "fact"

    @property
    def many(self) -> bool:
        """Whether it stands for several values."""
        return self.family == "args" and "*" in self.keys

    def read(self, view: CallView) -> tuple[Seen, ...]:
        """The values: one, possibly MISSING; for a subject with `*`, any number.

        Raises:
            OverflowError: more values than `max_leaves`.
        """
        if self.family == "args":
            if len(self.keys) == 1 and not self.many:
                return (view.action.arguments.get(self.keys[0], MISSING),)
            found = tuple(_walk(view.action.arguments, self.keys, view.max_leaves))
            return found if self.many else found[:1]
        if self.family == "agent":
            return (view.attributes.get(self.keys[0], MISSING),)
        if self.family == "fact":
            return (view.facts.get(self.text, MISSING),)
        return (_context(self.text, view.action),)


def parse_subject(text: str, path: Path) -> Subject:
    """Read the name of a subject.

    Raises:
        ConfigurationError: a name that is not of this version.
    """
    family, _, rest = text.partition(".")
    if family in {"args", "agent"} and rest:
        keys = tuple(rest.split("."))
        if not all(keys) or (family == "agent" and len(keys) > 1):
            raise complaint(f"{text!r}: write {family}.name, with no empty part.", path)
        if any("*" in key and key != "*" for key in keys) or (family == "agent" and "*" in keys):
            raise complaint(f"{text!r}: '*' stands alone between dots, and only below args.", path)
        return Subject(text=text, family=family, keys=keys)
    if text in FACTS:
        return Subject(text=text, family="fact", keys=())
    if text in CONTEXT:
        return Subject(text=text, family="context", keys=())
    if family in _LATER_FAMILIES or text.startswith(("count(", "total(")):
        raise complaint(f"{text!r} is of a later version; remove it or this rule.", path)
    raise unknown_word("subject", text, [*FACTS, *CONTEXT, "args.<name>", "agent.<attribute>"], path)


def constraints_for(subject: Subject) -> frozenset[str]:
    """The constraints that make sense for a subject."""
    return FACTS.get(subject.text) or CONTEXT.get(subject.text) or _ANYTHING


def _context(text: str, action: Action) -> Seen:
    principal = action.principal
    match text:
        case "time":
            return action.received_at
        case "session.labels":
            return [*sorted(principal.labels)]
        case "transport":
            return principal.transport.value
        case "source.ip":
            value = principal.source_ip
        case "user":
            value = principal.user
        case _:
            value = principal.task
    return MISSING if value is None else value


def _walk(value: JsonValue, keys: tuple[str, ...], limit: int) -> Iterator[Seen]:
    level: list[Seen] = [value]
    for index, key in enumerate(keys):
        if key == "*" and index == len(keys) - 1:
            yield from _leaves(level, limit)
            return
        level = [below for each in level for below in _step(each, key)]
        if len(level) > limit:
            raise OverflowError("more values than max_leaves")
    yield from level


def _step(value: Seen, key: str) -> list[Seen]:
    if key == "*":
        if isinstance(value, dict):
            return [*value.values()]
        return [*value] if isinstance(value, list) else [MISSING]
    return [value[key]] if isinstance(value, dict) and key in value else [MISSING]


def _leaves(level: list[Seen], limit: int) -> Iterator[Seen]:
    waiting, count = level, 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count > limit:
            raise OverflowError("more values than max_leaves")
        if isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        else:
            yield value
