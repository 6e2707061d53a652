# SPDX-License-Identifier: Apache-2.0
"""Short ways to write a policy and a call, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterable

from yett.action import Action, Effect, JsonObject, JsonValue, Kind, Principal, ToolDefinition, Transport
from yett.policy.compiled import CompiledPolicy
from yett.policy.compiler import compile_policy
from yett.policy.source import AgentSpec, PolicySource

MONDAY_NOON = 1767614400.0  # 2026-01-05 12:00 UTC


def source(*rules: JsonObject, **more: object) -> PolicySource:
    """A policy with one analyst (who is a reader) and one stranger without roles."""
    parts: dict[str, object] = {
        "roles": {"reader": (), "analyst": ("reader",)},
        "agents": {
            "research-1": AgentSpec(roles=("analyst",), attributes={"team": "finance"}),
            "stranger": AgentSpec(),
        },
        "approvers": frozenset({"kim", "lee", "finance", "security"}),
        "rules": rules,
    }
    return PolicySource(**(parts | more))  # type: ignore[arg-type]


def policy(*rules: JsonObject, **more: object) -> CompiledPolicy:
    """Compile those rules."""
    return compile_policy(source(*rules, **more))


def tool(name: str, schema: JsonObject | None = None, origin: str | None = None) -> ToolDefinition:
    """A tool; its origin is what its name says."""
    said = name.split("__", 1)[0] if "__" in name else "builtin"
    return ToolDefinition(name=name, description="", input_schema=schema or {}, origin=origin or said)


def call(
    name: str,
    arguments: JsonObject | None = None,
    *,
    agent: str = "research-1",
    at: float = MONDAY_NOON,
    ip: str | None = None,
    user: str | None = None,
    labels: Iterable[str] = (),
    kind: Kind = Kind.TOOL,
    origin: str | None = None,
) -> Action:
    """One call."""
    return Action(
        id="a",
        kind=kind,
        tool=tool(name, origin=origin),
        arguments=arguments or {},
        principal=Principal(
            agent=agent,
            id=f"spiffe://acme/agent/{agent}",
            labels=frozenset(labels),
            source_ip=ip,
            user=user,
            transport=Transport.HTTP,
        ),
        received_at=at,
    )


def rule(kind: str, tools: JsonValue, when: JsonObject | None = None, **more: JsonValue) -> JsonObject:
    """A rule for everyone, called by its kind unless `id` says otherwise."""
    written: JsonObject = {"id": kind, kind: tools, "to": "*"}
    if when is not None:
        written["when"] = when
    return written | more


def verdict(rules: Iterable[JsonObject], action: Action) -> Effect:
    """What those rules say about a call."""
    return policy(*rules).decide(action).effect


def opens(when: JsonObject, action: Action) -> bool:
    """Whether an allow rule with that condition opens the call."""
    return verdict([rule("allow", action.name, when)], action) is Effect.ALLOW


def closes(when: JsonObject, action: Action) -> bool:
    """Whether a deny rule with that condition closes a call that is open otherwise."""
    rules = [rule("allow", action.name), rule("deny", action.name, when)]
    return verdict(rules, action) is Effect.DENY
