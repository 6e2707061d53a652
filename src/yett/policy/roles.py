# SPDX-License-Identifier: Apache-2.0
"""Roles: who is what, with inheritance closed at compile time.

casbin walks role links only ten levels deep and then silently says no, so a long chain would drop a
deny. Here each agent's roles are all found beforehand, however far away, and cycles and unknown roles
are errors. Subjects carry their sort (`agent:`, `role:`, `all:`), so that an agent
named like a role is never taken for it. Used by the compiler and the engine.
"""

from __future__ import annotations

from collections.abc import Mapping

from yett.policy.complaint import Path, complaint, unknown_word
from yett.policy.source import AgentSpec, PolicySource

EVERYONE = "all:*"


def agent_subject(name: str) -> str:
    """The subject of an agent."""
    return f"agent:{name}"


def subjects_of_agents(source: PolicySource) -> dict[str, frozenset[str]]:
    """Each agent's subjects: itself, everyone, and every role it has directly or by inheritance.

    Raises:
        ConfigurationError: an unknown role, a cycle, or a name used for both a role and an agent.
    """
    _names_are_disjoint(source)
    closed = _closure(source.roles)
    return {name: _subjects(name, agent, closed) for name, agent in source.agents.items()}


def subject_named(name: str, source: PolicySource, path: Path) -> str:
    """The subject that a word in `to` means.

    Raises:
        ConfigurationError: neither a role nor an agent.
    """
    if name == "*":
        return EVERYONE
    if name in source.agents:
        return agent_subject(name)
    if name in source.roles:
        return f"role:{name}"
    raise unknown_word("role or agent", name, [*source.agents, *source.roles, "*"], path)


def _names_are_disjoint(source: PolicySource) -> None:
    for name in source.agents:
        if name in source.roles:
            raise complaint(
                f"{name!r} is both a role and an agent; give one of them another name.", ("agents", name)
            )
        if name == "*" or not name:
            raise complaint(f"{name!r} can't be the name of an agent.", ("agents", name))
    if "*" in source.roles or "" in source.roles:
        raise complaint("'*' and the empty name can't be roles.", ("roles",))


def _subjects(name: str, agent: AgentSpec, closed: Mapping[str, frozenset[str]]) -> frozenset[str]:
    found = {agent_subject(name), EVERYONE}
    for index, role in enumerate(agent.roles):
        if role not in closed:
            raise unknown_word("role", role, closed, ("agents", name, "roles", index))
        found.update(f"role:{each}" for each in closed[role])
    return frozenset(found)


def _closure(roles: Mapping[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    for role, parents in roles.items():
        for index, parent in enumerate(parents):
            if parent not in roles:
                raise unknown_word("role", parent, roles, ("roles", role, "inherits", index))
    return {role: _reachable(role, roles) for role in roles}


def _reachable(start: str, roles: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    seen: set[str] = set()
    waiting = list(roles[start])
    while waiting:
        role = waiting.pop()
        if role == start:
            raise complaint(f"Role {start!r} inherits from itself.", ("roles", start, "inherits"))
        if role not in seen:
            seen.add(role)
            waiting.extend(roles[role])
    return frozenset({start, *seen})
