# SPDX-License-Identifier: Apache-2.0
"""What a policy is compiled from: the parts of yett.yaml that concern decisions, still raw.

The rules and tests are the mappings as they were written; `compiler.py` checks every word of them.
Built by app.py from the configuration; nothing here validates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from yett.action import JsonObject, JsonValue, ToolDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """An agent as the file names it: its direct roles and its attributes."""

    roles: tuple[str, ...] = ()
    attributes: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySource:
    """Everything that a decision depends on.

    Args:
        roles: role to the roles it inherits from.
        agents: agent name to its roles and attributes.
        rules: the rules in file order, each the raw mapping.
        tests: the `tests:` of the file, each the raw mapping.
        approvers: the names of known people and groups.
        tools: the tools there are, for `lint` and the tests; None while they are unknown.
        people: person to groups. Lets `lint` count who can meet an approval; None when unknown.
        upstreams: the configured upstreams' names. One without a tool in `tools` has not been heard yet.
        expires: seconds that a question stands whose rule does not say.
    """

    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    agents: Mapping[str, AgentSpec] = field(default_factory=dict)
    rules: tuple[JsonObject, ...] = ()
    tests: tuple[JsonObject, ...] = ()
    approvers: frozenset[str] = frozenset()
    tools: tuple[ToolDefinition, ...] | None = None
    people: Mapping[str, frozenset[str]] | None = None
    upstreams: frozenset[str] = frozenset()
    expires: float = 600.0

    def unheard(self, tool: str) -> str | None:
        """The upstream of this tool or pattern, if that one has not said what it serves."""
        origin, separator, _ = tool.partition("__")
        if not separator or origin not in self.upstreams:
            return None
        return None if any(each.origin == origin for each in self.tools or ()) else origin
