# SPDX-License-Identifier: Apache-2.0
"""A stricter file that was not applied yet binds at once, whatever the applied one does."""

from __future__ import annotations

import json

from yett.action import Action, Kind, Principal, Secret, ToolDefinition, ToolResult
from yett.applied import BothRedact, InForce
from yett.config.load import parse
from yett.privacy.redactor import Redactor
from yett.privacy.settings import PrivacySettings

CARD = "4111 1111 1111 1111"
TOOL = ToolDefinition(name="note", description="", input_schema={})


def redactor(what):
    return Redactor(
        PrivacySettings(key=Secret("k" * 32), outbound={"CREDIT_CARD": what}, inbound={"CREDIT_CARD": what})
    )


def action():
    return Action(
        id="act-1",
        kind=Kind.TOOL,
        tool=TOOL,
        arguments={"text": CARD},
        principal=Principal(agent="a", id="spiffe://t/agent/a"),
        received_at=0.0,
    )


def test_a_block_that_is_not_applied_yet_is_not_weakened_by_the_applied_mask():
    both = BothRedact(redactor("mask"), redactor("block"))
    assert both.outbound(action(), resumed=False).blocked
    seen = both.inbound(action(), ToolResult.text(CARD))
    assert seen.result.is_error
    assert "withheld" in seen.result.content[0]["text"]


def test_masks_of_both_still_mask():
    both = BothRedact(redactor("mask"), redactor("mask"))
    assert both.outbound(action(), resumed=False).arguments == {"text": "[CREDIT_CARD]"}
    assert both.inbound(action(), ToolResult.text(CARD)).result == ToolResult.text("[CREDIT_CARD]")


def test_a_role_that_the_file_takes_away_is_gone_before_it_is_applied(tmp_path):
    def read(roles):
        text = {"version": 1, "state": str(tmp_path / "s"), "roles": {"writer": {}, "reader": {}}}
        text["agents"] = {"research-1": {"roles": roles}}
        return parse(json.dumps(text), tmp_path / "yett.yaml")

    binding = InForce(applied=read(["writer", "reader"]), candidate=read(["reader"]))
    assert binding.settings.agents["research-1"].roles == ("reader",)
    widened = InForce(applied=read(["reader"]), candidate=read(["reader", "writer"]))
    assert widened.settings.agents["research-1"].roles == ("reader",)
