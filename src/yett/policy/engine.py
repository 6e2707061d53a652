# SPDX-License-Identifier: Apache-2.0
"""pycasbin behind one door: which rules match a call, and whether the call is open or denied.

One small enforcer a tool (and set of roles that its rules name), built when first decided on. casbin's
types, and its traps, stay in this file:

1. Rows are put into the model directly (`add_policy` is quadratic, the CSV adapter splits quotes).
2. The matcher uses `g()` and one registered function over opaque row ids; no eval(), no keyMatch,
   globMatch, regexMatch or ipMatch, no literals that casbin would rewrite.
3. The effect is allow-and-deny; `deny`, unlike `Deny`, is written by us and never by a file. casbin
   uses the first effect for every policy set, so all sets share it.
4. `g()` looks roles up in a closed table: casbin does not follow links deeper than ten.
5. casbin parses the matcher anew for each call and then walks its tree for each row, with the row in
   hand kept in the evaluator. Ours is the same expression as a plain function: nothing is parsed,
   and threads share nothing that changes.
6. Logging is off: casbin would log requests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import casbin
from casbin.rbac import RoleManager

from yett.policy.rules import Rule, RuleKind

_REQUEST = "sub, call"
_POLICY = "sub, row, eft"
_EFFECT = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"
_NAMES = {each: (f"r{each}_sub", f"p{each}_sub", f"r{each}_call", f"p{each}_row") for each in ("", "2", "3")}
_SETS = {RuleKind.ALLOW: "", RuleKind.DENY: "", RuleKind.ASK: "2", RuleKind.ESCALATE: "3"}


for _name in ("casbin", "casbin.enforcer", "casbin.policy", "casbin.role", "casbin.model"):
    logging.getLogger(_name).disabled = True


class Matching(Protocol):
    """What the engine asks for each row that concerns the caller: one call's own view."""

    def matches(self, row: str) -> bool:
        """Whether the conditions of the row hold."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the policy sets say: opened by an allow, closed by a deny, opened by an ask, escalated."""

    allowed: bool
    denied: bool
    asked: bool
    escalated: bool


class _Matcher:
    """`g(r.sub, p.sub) && holds(r.call, p.row)` of one policy set, as casbin asks for it."""

    __slots__ = ("_names", "g", "holds")

    def __init__(self, suffix: str, functions: Mapping[str, Callable[..., bool]]) -> None:
        self._names = _NAMES[suffix]
        self.g, self.holds = functions["g"], functions["holds"]

    @staticmethod
    def text(suffix: str) -> str:
        """The expression that this stands for, as it is in the model."""
        return "g({}, {}) && holds({}, {})".format(*_NAMES[suffix])

    def eval(self, values: Mapping[str, object]) -> bool:
        """Whether one row matches; `values` are the request's and the row's."""
        caller, subject, call, row = self._names
        return self.g(values[caller], values[subject]) and self.holds(values[call], values[row])


class _Enforcer(casbin.Enforcer):  # type: ignore[misc]  # casbin has no types
    """casbin's enforcer with its matchers as plain functions (trap 5)."""

    def _get_expression(self, expr: str, functions: Mapping[str, Callable[..., bool]]) -> object:
        suffix = _SUFFIX_OF_MATCHER.get(expr)
        if suffix is None:
            raise ValueError(f"not one of our matchers: {expr}")
        return _Matcher(suffix, functions)


class RoleLinks(RoleManager):  # type: ignore[misc]  # casbin has no types
    """Who has which roles, for casbin's `g()`: one look-up in what was closed at compile time.

    casbin's own manager follows links ten deep, and makes roles while it looks names up.
    """

    def __init__(self, subjects: Mapping[str, frozenset[str]]) -> None:
        self._subjects = subjects

    def has_link(self, name1: str, name2: str, *domain: str) -> bool:
        """Whether `name1` is, or has the role, `name2`."""
        del domain
        return name2 in self._subjects.get(name1, ())


class Shard:
    """The rules of one tool that concern callers with the same roles."""

    def __init__(self, rules: Sequence[Rule], subjects: frozenset[str], links: RoleLinks) -> None:
        self.rules = rules
        model = casbin.Model()
        for suffix in ("", "2", "3"):
            model.add_def("r", f"r{suffix}", _REQUEST)
            model.add_def("p", f"p{suffix}", _POLICY)
            model.add_def("e", f"e{suffix}", _EFFECT.replace("p.eft", f"p{suffix}.eft"))
            model.add_def("m", f"m{suffix}", _Matcher.text(suffix))
        model.add_def("g", "g", "_, _")
        for rule in rules:
            effect = "deny" if rule.kind is RuleKind.DENY else "allow"
            rows = model["p"][f"p{_SETS[rule.kind]}"].policy
            rows.extend([subject, str(rule.index), effect] for subject in sorted(rule.subjects & subjects))
        self._enforcer = _Enforcer(model)
        self._enforcer.rm_map["g"] = links
        model["g"]["g"].rm = links
        self._enforcer.add_function("holds", _holds)
        self._sets = {
            suffix: self._enforcer.new_enforce_context(suffix)
            for suffix in ("2", "3")
            if model["p"][f"p{suffix}"].policy
        }
        self._first = bool(model["p"]["p"].policy)

    def decide(self, subject: str, call: Matching) -> Outcome:
        """Run the policy sets for one caller and one call."""
        allowed, denied = False, False
        if self._first:
            allowed, row = self._enforcer.enforce_ex(subject, call)
            denied = not allowed and bool(row)
        if denied:
            return Outcome(allowed=False, denied=True, asked=False, escalated=False)
        asked = self._in_set("2", subject, call)
        return Outcome(
            allowed=bool(allowed),
            denied=False,
            asked=asked,
            escalated=(allowed or asked) and self._in_set("3", subject, call),
        )

    def _in_set(self, suffix: str, subject: str, call: Matching) -> bool:
        context = self._sets.get(suffix)
        return context is not None and self._enforcer.enforce(context, subject, call) is True


_SUFFIX_OF_MATCHER = {_Matcher.text(suffix): suffix for suffix in ("", "2", "3")}


def _holds(call: Matching, row: str) -> bool:
    return call.matches(row)
