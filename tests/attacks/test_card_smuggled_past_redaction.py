# SPDX-License-Identifier: Apache-2.0
"""An agent sends a card number out, or a tool hands one in, in a form that a plain search misses."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from yett.action import Action, Kind, Principal, Secret, ToolDefinition, ToolResult
from yett.privacy.redactor import Redactor
from yett.privacy.settings import PrivacySettings

CARD = "4111111111111111"
DISGUISES = {
    "spaces": "4111 1111 1111 1111",
    "dashes": "4111-1111-1111-1111",
    "dots": "4111.1111.1111.1111",
    "digit by digit": " ".join(CARD),
    "pairs": "-".join(CARD[place : place + 2] for place in range(0, 16, 2)),
    "odd groups": "411111 11111 11111",
    "no-break spaces": "4111\u00a01111\u00a01111\u00a01111",
    "non-breaking hyphens": "4111\u20111111\u20111111\u20111111",
    "zero width": "\u200b".join(CARD),
    "full width": "".join(chr(0xFF10 + int(digit)) for digit in CARD),
    "arabic digits": "".join(chr(0x660 + int(digit)) for digit in CARD),
    "a JSON string in a string": json.dumps({"card": CARD}),
    "JSON three levels down": json.dumps(json.dumps({"a": json.dumps([CARD])})),
    "JSON escapes": '{"card": "' + "".join(f"\\u00{ord(digit):02x}" for digit in CARD) + '"}',
    "a duplicate name": '{"card": "4111111111111111", "card": "x"}',
    "base64": base64.b64encode(f"the card is {CARD}".encode()).decode(),
    "base64 of base64": base64.b64encode(base64.b64encode(f"the card is {CARD}".encode())).decode(),
    "base64url without padding": base64.urlsafe_b64encode(f"card {CARD}??>>".encode()).decode().rstrip("="),
    "base64 beside other letters": "é " + base64.b64encode(f"the card is {CARD}".encode()).decode(),
    "hexadecimal": f"card {CARD}".encode().hex(),
    "percent": "".join(f"%{ord(digit):02x}" for digit in CARD),
    "percent in part": quote(f"x={CARD[:8]}-", safe="") + CARD[8:],
    "in a query": f"https://x.example/?pan={CARD}&y=1",
    "in a path": f"/pay/{CARD}/now",
    "behind another number": f"12 {CARD} 9",
    "in a pair": f"card={CARD}",
}
NUMBERS = {"a number": 4111111111111111, "a float": 4111111111111111.0, "an exponent": 4.111111111111111e15}


def redactor() -> Redactor:
    return Redactor(PrivacySettings(key=Secret("a fingerprint key of the tests")))


def action(arguments) -> Action:
    return Action(
        id="act-1",
        kind=Kind.TOOL,
        tool=ToolDefinition(name="crm__put", description="", input_schema={}, target="upstream:crm"),
        arguments=arguments,
        principal=Principal(agent="a1", id="a1"),
        received_at=0.0,
    )


@pytest.mark.parametrize("how", DISGUISES)
def test_a_card_does_not_leave_in_disguise(how):
    seen = redactor().outbound(action({"note": DISGUISES[how]}), resumed=False)
    assert "CREDIT_CARD" in {item.entity for item in seen.findings}
    assert DISGUISES[how] not in json.dumps(seen.arguments, ensure_ascii=False)
    assert "[CREDIT_CARD]" in seen.arguments["note"]


@pytest.mark.parametrize("how", NUMBERS)
def test_a_card_does_not_leave_as_a_number(how):
    seen = redactor().outbound(action({"rows": [[NUMBERS[how]]]}), resumed=False)
    assert seen.arguments == {"rows": [["[CREDIT_CARD]"]]}
    assert seen.findings[0].place == "/rows/0/0"


def test_a_card_does_not_leave_as_a_name():
    seen = redactor().outbound(action({"rows": {CARD: 1, "5500000000000004": 2}}), resumed=False)
    assert seen.arguments == {"rows": {"[CREDIT_CARD]": 1, "[CREDIT_CARD]_2": 2}}
    assert {item.place for item in seen.findings} == {"/rows/[CREDIT_CARD]"}


@pytest.mark.parametrize("how", DISGUISES)
def test_a_card_does_not_come_in_with_an_error_message(how):
    seen = redactor().inbound(action({}), ToolResult.text(f"failed: {DISGUISES[how]}", is_error=True))
    assert "[CREDIT_CARD]" in seen.result.content[0]["text"]
    assert seen.result.is_error


def test_a_card_does_not_come_in_with_structured_content_beside_clean_text():
    seen = redactor().inbound(action({}), ToolResult.text("ok", structured={"a": {"b": [CARD]}}))
    assert seen.result.content[0]["text"] == "ok"
    assert seen.result.structured == {"a": {"b": ["[CREDIT_CARD]"]}}


def test_a_card_does_not_come_in_as_an_image_that_is_text():
    data = base64.b64encode(f"<svg>{CARD}</svg>".encode()).decode()
    seen = redactor().inbound(action({}), ToolResult(content=({"type": "image", "data": data},)))
    assert CARD.encode() not in base64.b64decode(seen.result.content[0]["data"])
