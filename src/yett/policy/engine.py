# SPDX-License-Identifier: Apache-2.0
"""pycasbin behind one door: which rules match a call, and whether the call is open or denied.

One small enforcer a tool, built when the tool is first decided on. casbin's types, and its traps,
stay in this file:

1. Rows are put into the model directly (`add_policy` is quadratic, the CSV adapter splits quotes).
2. The matcher uses `g()` and one registered function over opaque row ids; no eval(), no keyMatch,
   globMatch, regexMatch or ipMatch, no literals that casbin would rewrite.
3. The effect is allow-and-deny; `deny`, unlike `Deny`, is written by us and never by a file. casbin
   uses the first effect for every policy set, so all sets share it.
4. Agents are linked directly to every role they have: links deeper than ten are not followed.
5. The parsed matcher is kept for each thread: parsing costs more than deciding, and the evaluator
   holds the row in hand while it works.
6. Logging is off: casbin would log requests.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import casbin
from casbin.rbac.default_role_manager import RoleManager

from yett.policy.rules import Rule, RuleKind

_REQUEST = "sub, call"
_POLICY = "sub, row, eft"
_EFFECT = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"
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


class _Enforcer(casbin.Enforcer):  # type: ignore[misc]  # casbin has no types
    """casbin's enforcer with the parsed matcher kept, one for each thread (trap 5)."""

    def __init__(self, model: casbin.Model) -> None:
        self._kept = threading.local()
        super().__init__(model)

    def _get_expression(self, expr: str, functions: object = None) -> object:
        kept: dict[str, object] = self._kept.__dict__
        expression = kept.get(expr)
        if expression is None:
            expression = kept[expr] = super()._get_expression(expr, functions)
        return expression


class RoleLinks:
    """Who has which roles, in casbin's form. Built once and only read afterwards."""

    def __init__(self, subjects: Mapping[str, frozenset[str]], named: Iterable[str]) -> None:
        self.manager = RoleManager(10)
        for subject, roles in subjects.items():
            for role in sorted(roles):
                self.manager.add_link(subject, role)
        # casbin makes unknown names while it looks them up; made here, look-ups change nothing.
        for name in named:
            self.manager.add_link(name, name)


class Shard:
    """The rules of one tool."""

    def __init__(self, rules: tuple[Rule, ...], links: RoleLinks) -> None:
        model = casbin.Model()
        for suffix in ("", "2", "3"):
            model.add_def("r", f"r{suffix}", _REQUEST)
            model.add_def("p", f"p{suffix}", _POLICY)
            model.add_def("e", f"e{suffix}", _EFFECT.replace("p.eft", f"p{suffix}.eft"))
            model.add_def(
                "m", f"m{suffix}", f"g(r{suffix}.sub, p{suffix}.sub) && holds(r{suffix}.call, p{suffix}.row)"
            )
        model.add_def("g", "g", "_, _")
        for rule in rules:
            effect = "deny" if rule.kind is RuleKind.DENY else "allow"
            rows = model["p"][f"p{_SETS[rule.kind]}"].policy
            rows.extend([subject, str(rule.index), effect] for subject in sorted(rule.subjects))
        self._enforcer = _Enforcer(model)
        self._enforcer.rm_map["g"] = links.manager
        model["g"]["g"].rm = links.manager
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
        return Outcome(
            allowed=bool(allowed),
            denied=False,
            asked=self._in_set("2", subject, call),
            escalated=self._in_set("3", subject, call),
        )

    def _in_set(self, suffix: str, subject: str, call: Matching) -> bool:
        context = self._sets.get(suffix)
        return context is not None and self._enforcer.enforce(context, subject, call) is True


def _holds(call: Matching, row: str) -> bool:
    return call.matches(row)
