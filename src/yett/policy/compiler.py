# SPDX-License-Identifier: Apache-2.0
"""From the raw rules of yett.yaml to a CompiledPolicy. Every word is checked here, once.

Nothing that is written is ever skipped: an unknown word, and a word of a later version, fail the
compilation with the place in the document (law 5). Called by app.py at start and at each reload.
"""

from __future__ import annotations

from yett.action import ApprovalTerms, JsonObject, JsonValue, digest_of
from yett.policy.approval import parse_approval
from yett.policy.compiled import CompiledPolicy
from yett.policy.complaint import Path, complaint, mapping, unknown_word, words
from yett.policy.conditions import Condition
from yett.policy.constraints.constraint import Constraint, Place
from yett.policy.constraints.registry import CONSTRAINTS, LATER
from yett.policy.constraints.times import WINDOW_KEYS, parse_window
from yett.policy.roles import subject_named, subjects_of_agents
from yett.policy.rules import Rule, RuleKind
from yett.policy.self_tests import parse_tests
from yett.policy.settings import PolicySettings
from yett.policy.source import PolicySource
from yett.policy.subjects import Subject, constraints_for, parse_subject
from yett.policy.tool_patterns import parse_tool_pattern

_KINDS = frozenset(kind.value for kind in RuleKind)
_KEYS = _KINDS | {"id", "to", "when", "approval", "why"}
_LATER_KEYS = frozenset({"grant", "after", "ttl", "count", "total"})
_ID_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def compile_policy(source: PolicySource, settings: PolicySettings | None = None) -> CompiledPolicy:
    """Check and compile a policy.

    Raises:
        ConfigurationError: with `path` set to the place of the first thing that is wrong.
    """
    limits = settings or PolicySettings()
    if len(source.rules) > limits.max_rules:
        raise complaint(f"{len(source.rules)} rules; this gate takes {limits.max_rules}.", ("rules",))
    subjects = subjects_of_agents(source)
    rules: list[Rule] = []
    places: dict[str, int] = {}
    for index, written in enumerate(source.rules):
        rule = _rule(index, written, source, limits)
        if rule.id in places:
            raise complaint(
                f"Two rules have the id {rule.id!r} (the other is number {places[rule.id] + 1}).",
                ("rules", index, "id"),
            )
        places[rule.id] = index
        rules.append(rule)
    return CompiledPolicy(
        source=source,
        rules=tuple(rules),
        subjects=subjects,
        tests=parse_tests(source, frozenset(places)),
        digest=_digest(source),
        settings=limits,
    )


def _digest(source: PolicySource) -> str:
    try:
        return digest_of(
            {
                "roles": {role: [*parents] for role, parents in source.roles.items()},
                "agents": {
                    name: {"roles": [*agent.roles], "attributes": dict(agent.attributes)}
                    for name, agent in source.agents.items()
                },
                "rules": [*source.rules],
                "approvers": [*sorted(source.approvers)],
            }
        )
    except (TypeError, ValueError) as error:
        raise complaint(f"Rules and attributes hold plain JSON values only: {error}.", ("rules",)) from None


def _rule(index: int, written: JsonObject, source: PolicySource, settings: PolicySettings) -> Rule:
    path: Path = ("rules", index)
    block = mapping(written, "A rule", path)
    _check_keys(block, path)
    kind = _kind(block, path)
    names = words(block["to"], "'to'", (*path, "to"))
    why = block.get("why", "")
    if not isinstance(why, str):
        raise complaint(f"'why' is a sentence, not {why!r}.", (*path, "why"))
    return Rule(
        index=index,
        id=_id(block, path),
        kind=kind,
        tools=tuple(
            parse_tool_pattern(text, restricts=kind.restricts, path=(*path, kind.value))
            for text in words(block[kind.value], f"{kind.value!r}", (*path, kind.value))
        ),
        to=names,
        subjects=frozenset(subject_named(name, source, (*path, "to")) for name in names),
        conditions=_conditions(block.get("when", {}), kind, (*path, "when"), settings),
        approval=_approval(block, kind, source, path),
        why=" ".join(why.split()),
        written=block,
    )


def _check_keys(block: JsonObject, path: Path) -> None:
    for key in block:
        if key in _LATER_KEYS:
            raise complaint(f"{key!r} is of a later version; this one would not enforce it.", (*path, key))
        if key not in _KEYS:
            raise unknown_word("key of a rule", key, _KEYS, (*path, key))
    for key in ("id", "to"):
        if key not in block:
            raise complaint(f"A rule needs {key!r}.", path)


def _kind(block: JsonObject, path: Path) -> RuleKind:
    found = sorted(_KINDS & block.keys())
    if len(found) != 1:
        raise complaint(
            f"A rule has exactly one of allow, ask, deny and escalate, not {found or 'none'}.", path
        )
    return RuleKind(found[0])


def _id(block: JsonObject, path: Path) -> str:
    value = block["id"]
    if not isinstance(value, str) or not value or not _ID_LETTERS.issuperset(value) or len(value) > 128:
        raise complaint(f"An id has letters, digits, '.', '_' and '-', not {value!r}.", (*path, "id"))
    if value.startswith("gate."):
        raise complaint(f"{value!r}: ids that start with 'gate.' are the gate's own.", (*path, "id"))
    return value


def _approval(block: JsonObject, kind: RuleKind, source: PolicySource, path: Path) -> ApprovalTerms | None:
    if kind not in {RuleKind.ASK, RuleKind.ESCALATE}:
        if "approval" in block:
            raise complaint(f"'approval' has no effect in {kind.value!r}; use 'ask'.", (*path, "approval"))
        return None
    return parse_approval(
        block.get("approval", {}), source.approvers, (*path, "approval"), expires=source.expires
    )


def _conditions(
    written: JsonValue, kind: RuleKind, path: Path, settings: PolicySettings
) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for text, expected in mapping(written, "'when'", path).items():
        place = (*path, text)
        subject = parse_subject(text, place)
        found.extend(
            Condition(subject=subject, constraint=constraint, restricts=kind.restricts)
            for constraint in _constraints(subject, expected, place, kind, settings)
        )
    return tuple(found)


def _constraints(
    subject: Subject, expected: JsonValue, path: Path, kind: RuleKind, settings: PolicySettings
) -> list[Constraint]:
    written = _as_mapping(expected, path)
    if not written:
        raise complaint(f"{subject.text!r} is given no constraint.", path)
    found: list[Constraint] = []
    if subject.text == "time":
        for name in written:
            if name not in WINDOW_KEYS:
                raise unknown_word("constraint for time", name, WINDOW_KEYS, (*path, name))
        place = Place(subject=subject.text, path=path, restricts=kind.restricts, settings=settings)
        return [parse_window(written, place)]
    allowed = constraints_for(subject)
    for name, value in written.items():
        if name in LATER:
            raise complaint(f"{name!r} is of a later version; this one would not enforce it.", (*path, name))
        if name not in allowed:
            raise unknown_word(f"constraint for {subject.text}", name, allowed, (*path, name))
        place = Place(subject=subject.text, path=(*path, name), restricts=kind.restricts, settings=settings)
        found.append(CONSTRAINTS[name](value, place))
    return found


def _as_mapping(expected: JsonValue, path: Path) -> JsonObject:
    if isinstance(expected, dict):
        return mapping(expected, "Constraints", path)
    if expected is None:
        raise complaint("null is no condition; write {exists: false} for what must not be given.", path)
    return {"in": expected} if isinstance(expected, list) else {"eq": expected}
