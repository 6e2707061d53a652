# SPDX-License-Identifier: Apache-2.0
"""Attack: a URL that a person reads as one host and a program connects to as another."""

from __future__ import annotations

import pytest

from yett.action import Action, Decision, Effect, Kind, Principal, ToolDefinition
from yett.policy.compiler import compile_policy
from yett.policy.source import AgentSpec, PolicySource

RULES = (
    {
        "id": "api",
        "allow": "http_request",
        "to": "*",
        "when": {"http.host": {"host_in": ["api.acme.com", "*.ok.org"]}},
    },
    {"id": "any-get", "allow": "http_request", "to": "open", "when": {"http.method": "GET"}},
    {
        "id": "metadata",
        "deny": "http_request",
        "to": "*",
        "when": {"http.host": {"in": ["169.254.0.0/16", "127.0.0.0/8", "metadata.internal"]}},
    },
)
POLICY = compile_policy(
    PolicySource(roles={"open": ()}, agents={"a": AgentSpec(), "b": AgentSpec(roles=("open",))}, rules=RULES)
)


def decide(url: str, agent: str = "a") -> Decision:
    return POLICY.decide(
        Action(
            id="x",
            kind=Kind.TOOL,
            tool=ToolDefinition(name="http_request", description="", input_schema={}),
            arguments={"url": url},
            principal=Principal(agent=agent, id=agent),
            received_at=0.0,
        )
    )


@pytest.mark.parametrize("url", ["https://api.acme.com/x", "https://API.ACME.COM.:443/", "http://x.ok.org"])
def test_the_host_itself_is_allowed(url):
    assert decide(url).effect is Effect.ALLOW


@pytest.mark.parametrize(
    "url",
    [
        "https://api.acme.com@evil.com/",
        "https://evil.com#@api.acme.com/",
        "https://evil.com?@api.acme.com/",
        "https://evil.com/@api.acme.com/",
        "https://evil.com\\@api.acme.com/",
        "https://api.acme.com\\.evil.com/",
        "https://api.acme.com.evil.com/",
        "https://api.acme.com%2eevil.com/",
        "https://api.acme.com%00.evil.com/",
        "https://api.acme.com\n.evil.com/",
        "https:api.acme.com",
        "https:///api.acme.com/",
        "https://api.\u0430cme.com/",
        "https://evilapi.acme.com/",
        "https://a.b.ok.org/",
        "https://ok.org/",
        "javascript:https://api.acme.com",
    ],
)
def test_lookalikes_are_denied(url):
    assert decide(url).effect is Effect.DENY


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "2852039166",
        "0xA9FEA9FE",
        "0251.0376.0251.0376",
        "169.254.43518",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "①⑥⑨.254.169.254",
        "169。254。169。254",
        "127.1",
        "0x7f000001",
        "METADATA.internal.",
        "user:pw@127.0.0.1",
        "127.0.0.1 ",
    ],
)
def test_no_spelling_of_a_forbidden_address_passes_its_denial(host):
    decision = decide(f"http://{host}/latest/meta-data", agent="b")
    assert (decision.effect, decision.rule) == (Effect.DENY, "metadata")


def test_what_is_not_forbidden_is_open_to_that_agent():
    assert decide("https://example.org/", agent="b").effect is Effect.ALLOW
