# SPDX-License-Identifier: Apache-2.0
"""Attack: a path that begins below the allowed root and ends elsewhere."""

from __future__ import annotations

import pytest

from yett.action import Action, Effect, Kind, Principal, ToolDefinition
from yett.policy.compiler import compile_policy
from yett.policy.source import AgentSpec, PolicySource

POLICY = compile_policy(
    PolicySource(
        agents={"a": AgentSpec()},
        rules=(
            {
                "id": "read",
                "allow": "file_read",
                "to": "*",
                "when": {
                    "args.path": {"under": "/workspace", "not_match": ["**/.env", "**/.ssh/**", ".git"]}
                },
            },
        ),
    )
)


def effect(path: object) -> Effect:
    action = Action(
        id="x",
        kind=Kind.TOOL,
        tool=ToolDefinition(name="file_read", description="", input_schema={}),
        arguments={"path": path},  # type: ignore[dict-item]
        principal=Principal(agent="a", id="a"),
        received_at=0.0,
    )
    return POLICY.decide(action).effect


@pytest.mark.parametrize("path", ["/workspace/a", "/workspace/./a/../b", "/workspace//a"])
def test_paths_that_stay_inside_are_allowed(path):
    assert effect(path) is Effect.ALLOW


@pytest.mark.parametrize(
    "path",
    [
        "/workspace/../etc/passwd",
        "/workspace/a/../../etc/passwd",
        "/workspace/./.././etc/passwd",
        "//workspace/../etc/passwd",
        "/workspaces/a",
        "/workspace\0/../etc",
        "/workspace/a\0.txt",
        "workspace/a",
        "../workspace/a",
        "file:///workspace/a",
        "/WORKSPACE/a",
        "/workspace/.env",
        "/workspace/x/../.env",
        "/workspace/.env/",
        "/workspace/.env/inner",
        "/workspace/.ssh",
        "/workspace/u/.ssh/id_rsa",
        "/workspace/.git/config",
        ["/workspace/a"] * 2 + ["/etc/passwd"],
        {"path": "/workspace/a"},
        None,
        0,
        True,
    ],
)
def test_paths_that_leave_or_name_what_is_excluded_are_denied(path):
    assert effect(path) is Effect.DENY
