# SPDX-License-Identifier: Apache-2.0
"""Attack: a caller whose name, or whose claims, equal a role, a wildcard or the engine's own words."""

from __future__ import annotations

import pytest

from yett.action import Action, Effect, Kind, Principal, ToolDefinition
from yett.policy.compiler import compile_policy
from yett.policy.source import AgentSpec, PolicySource

POLICY = compile_policy(
    PolicySource(
        roles={"admin": ()},
        agents={"boss": AgentSpec(roles=("admin",), attributes={"team": "ops"}), "eve": AgentSpec()},
        rules=(
            {"id": "run", "allow": "shell_run", "to": "admin"},
            {"id": "ops", "allow": "deploy", "to": "*", "when": {"agent.team": "ops"}},
        ),
    )
)


def effect(agent: str, tool: str = "shell_run", **claims: object) -> Effect:
    action = Action(
        id="x",
        kind=Kind.TOOL,
        tool=ToolDefinition(name=tool, description="", input_schema={}),
        arguments={},
        principal=Principal(agent=agent, id=agent, **claims),  # type: ignore[arg-type]
        received_at=0.0,
    )
    return POLICY.decide(action).effect


def test_the_agent_with_the_role_is_allowed():
    assert effect("boss") is effect("boss", "deploy") is Effect.ALLOW


@pytest.mark.parametrize("name", ["admin", "role:admin", "agent:boss", "*", "all:*", "", "Boss", "boss "])
def test_a_name_is_not_a_role(name):
    assert effect(name) is Effect.DENY


def test_roles_and_attributes_are_those_of_the_file_and_not_of_the_caller():
    assert effect("eve", roles=frozenset({"admin"})) is Effect.DENY
    assert effect("eve", "deploy", attributes={"team": "ops"}) is Effect.DENY
