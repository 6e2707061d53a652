# SPDX-License-Identifier: Apache-2.0
"""Attack: mail to someone outside, in an argument that also names someone inside."""

from __future__ import annotations

import pytest

from yett.action import Action, Effect, Kind, Principal, ToolDefinition
from yett.policy.compiler import compile_policy
from yett.policy.source import AgentSpec, PolicySource

POLICY = compile_policy(
    PolicySource(
        agents={"a": AgentSpec()},
        rules=(
            {"id": "mail", "ask": "mail__send", "to": "*", "when": {"args.to": {"domain_in": ["acme.com"]}}},
        ),
    )
)


def effect(to: object) -> Effect:
    action = Action(
        id="x",
        kind=Kind.TOOL,
        tool=ToolDefinition(name="mail__send", description="", input_schema={}, origin="mail"),
        arguments={"to": to},  # type: ignore[dict-item]
        principal=Principal(agent="a", id="a"),
        received_at=0.0,
    )
    return POLICY.decide(action).effect


def test_mail_inside_is_asked():
    assert effect("kim@acme.com") is effect(["kim@acme.com", "lee@ACME.com."]) is Effect.ASK


@pytest.mark.parametrize(
    "to",
    [
        ["kim@acme.com", "eve@evil.com"],
        "eve@evil.com, kim@acme.com",
        "eve@evil.com;kim@acme.com",
        "eve@evil.com\r\nBcc: kim@acme.com",
        "eve@evil.com kim@acme.com",
        "eve@evil.com@acme.com",
        "<eve@evil.com>@acme.com",
        '"eve@evil.com" <kim@acme.com>',
        "eve@evil.com(kim@acme.com)",
        "eve@acme.com.evil.com",
        "eve@evilacme.com",
        "eve@[10.0.0.1]",
        "eve%evil.com",
        "@acme.com",
        [],
        [["kim@acme.com"]],
        {"address": "kim@acme.com"},
        None,
    ],
)
def test_anything_else_is_denied(to):
    assert effect(to) is Effect.DENY
