# SPDX-License-Identifier: Apache-2.0
"""A host that may get less than others is written so that only egress recognises it."""

from __future__ import annotations

import pytest

from yett.action import Action, Kind, Principal, Secret, ToolDefinition
from yett.privacy.redactor import Redactor
from yett.privacy.settings import DestinationSettings, PrivacySettings

STRICT = DestinationSettings(outbound={"EMAIL_ADDRESS": "block"})
TOOL = ToolDefinition(name="http_request", description="", input_schema={}, target="egress")


def sent(url):
    settings = PrivacySettings(
        key=Secret("k" * 32),
        outbound={"EMAIL_ADDRESS": "allow"},
        destinations={"crm.example": STRICT, "127.0.0.1": STRICT},
    )
    action = Action(
        id="act-1",
        kind=Kind.TOOL,
        tool=TOOL,
        arguments={"url": url, "body": "write to kim@acme.com"},
        principal=Principal(agent="a", id="spiffe://t/agent/a"),
        received_at=0.0,
    )
    return Redactor(settings).outbound(action, resumed=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example/x",
        "HTTPS://crm.example/x",
        "https://crm.example./x",
        "https://CRM.example:443/x",
        "https://crm\uff0eexample/x",
        "https://crm.example/a|b",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::ffff:127.0.0.1]/",
    ],
)
def test_the_strict_rule_holds_however_the_host_is_written(url):
    assert sent(url).blocked


@pytest.mark.parametrize("url", ["https://other.example/", "https://crm.example.evil.example/"])
def test_another_host_has_the_rule_of_all(url):
    assert not sent(url).blocked
