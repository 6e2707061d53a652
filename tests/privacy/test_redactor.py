# SPDX-License-Identifier: Apache-2.0
"""What leaves, what comes back, and what a finding says."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from privacy_samples import AWS_KEY, CARD, IBAN, KEY, POSITIVES, SSN, action, clean_tool_json, redactor

from yett.action import FindingAction, Secret, ToolResult
from yett.errors import ConfigurationError
from yett.privacy.redactor import WITHHELD
from yett.privacy.settings import DestinationSettings, PrivacySettings, parse_actions

BLOCK, MASK, ALLOW = FindingAction.BLOCK, FindingAction.MASK, FindingAction.ALLOW
STRICT = dict.fromkeys(
    ("CREDIT_CARD", "US_SSN", "IBAN_CODE", "EMAIL_ADDRESS", "PHONE_NUMBER", "SECRET"), MASK
)


def out(arguments, *, resumed=False, target="egress", name="http_request", **settings):
    return redactor(**settings).outbound(action(arguments, target=target, name=name), resumed=resumed)


def back(result, *, target="upstream:crm", **settings):
    return redactor(**settings).inbound(action({}, target=target, name="crm__find"), result)


def test_by_default_a_secret_blocks_and_numbers_are_masked_on_the_way_out():
    seen = out({"url": "https://x.example", "body": f"pay {CARD} {SSN} {IBAN} jane@corp.io"})
    assert seen.arguments["body"] == "pay [CREDIT_CARD] [US_SSN] [IBAN_CODE] jane@corp.io"
    assert {item.entity: item.action for item in seen.findings} == {
        "CREDIT_CARD": MASK,
        "US_SSN": MASK,
        "IBAN_CODE": MASK,
        "EMAIL_ADDRESS": ALLOW,
    }
    assert seen.changed
    assert not seen.blocked
    blocked = out({"url": "https://x.example", "body": f"key {AWS_KEY}"})
    assert [item.entity for item in blocked.blocked] == ["SECRET"]
    assert AWS_KEY not in json.dumps(blocked.arguments)


def test_the_sandbox_gets_everything_and_findings_still_say_so():
    arguments = {"command": f"echo {CARD} {AWS_KEY}"}
    seen = out(arguments, target="sandbox", name="shell_run")
    assert seen.arguments == arguments
    assert {item.action for item in seen.findings} == {ALLOW}


@pytest.mark.parametrize(
    ("arguments", "target"),
    [({"body": CARD}, "upstream:sandbox"), ({"body": CARD, "url": "http://sandbox/x"}, "egress")],
)
def test_only_the_sandbox_itself_is_the_sandbox(arguments, target):
    assert out(arguments, target=target).arguments["body"] == "[CREDIT_CARD]"


def test_what_the_sandbox_may_not_get_can_be_named():
    settings = {"destinations": {"sandbox": DestinationSettings(outbound={"SECRET": BLOCK})}}
    assert out({"command": AWS_KEY}, target="sandbox", name="shell_run", **settings).blocked


@pytest.mark.parametrize(
    "text",
    [
        "\ud800 " + CARD,
        "[" * 100_000,
        '{"a": 1e999}',
        "&#99999;",
        "%ff%fe" + CARD,
        "\x00",
        "Basic ====",
        "?sig=" + "a" * 40,
    ],
)
def test_odd_text_never_breaks_the_redactor(text):
    for arguments in ({"a": text}, {text: 1}, {"a": json.dumps([text])}):
        json.dumps(out(arguments).arguments)
        back(ToolResult.text(text, structured=arguments))


def test_by_default_results_lose_secrets_cards_and_social_security_numbers():
    seen = back(ToolResult.text(f"{AWS_KEY} {CARD} {SSN} {IBAN}"))
    assert seen.result.content[0]["text"] == f"[SECRET] [CREDIT_CARD] [US_SSN] {IBAN}"


@pytest.mark.parametrize("name", ["upstream:crm", "crm"])
def test_a_destination_differs_entity_by_entity(name):
    settings = {
        "destinations": {
            name: DestinationSettings(outbound={"CREDIT_CARD": ALLOW}, inbound={"IBAN_CODE": MASK})
        }
    }
    seen = out({"a": CARD, "b": SSN}, target="upstream:crm", name="crm__put", **settings)
    assert seen.arguments == {"a": CARD, "b": "[US_SSN]"}
    assert back(ToolResult.text(IBAN), **settings).result.content[0]["text"] == "[IBAN_CODE]"
    assert out({"a": CARD}, target="upstream:other", **settings).arguments == {"a": "[CREDIT_CARD]"}


@pytest.mark.parametrize(
    ("url", "looser"),
    [
        ("https://crm.acme.com/x", True),
        ("https://CRM.acme.com:8443?x=1", True),
        ("https://crm.acme.com.evil.example/", False),
        ("https://evil.example/crm.acme.com", False),
        ("https://crm.acme.com@evil.example/", False),
        ("https://crm.acme.com\\@evil.example/", False),
        ("https://evil.example\\@crm.acme.com/", False),
        ("https://crm.acme.com/\n@evil.example", False),
        (["https://crm.acme.com/"], False),
    ],
)
def test_a_looser_rule_for_a_host_holds_for_that_host_alone(url, looser):
    settings = {"destinations": {"crm.acme.com": DestinationSettings(outbound={"CREDIT_CARD": ALLOW})}}
    seen = out({"url": url, "body": CARD}, **settings)
    assert (seen.arguments["body"] == CARD) is looser


def test_a_sandbox_tool_can_not_name_a_looser_host():
    settings = {"destinations": {"crm.acme.com": DestinationSettings(outbound={"CREDIT_CARD": ALLOW})}}
    seen = out({"url": "https://crm.acme.com/", "body": CARD}, target="upstream:x", **settings)
    assert seen.arguments["body"] == "[CREDIT_CARD]"


def test_every_channel_of_a_result_is_looked_at():
    text = f"card {CARD}"
    encoded = base64.b64encode(text.encode()).decode()
    result = ToolResult(
        content=(
            {"type": "text", "text": text, "annotations": {"note": text}},
            {"type": "resource", "resource": {"uri": "file:///a", "text": text, "name": text}},
            {"type": "resource", "resource": {"uri": "file:///b", "blob": encoded}},
            {"type": "resource_link", "uri": "file:///c", "description": text},
            {"type": "image", "data": encoded, "mimeType": "image/png"},
        ),
        structured={"rows": [{"card": CARD}]},
        is_error=True,
        meta={"note": text},
    )
    seen = back(result)
    dumped = json.dumps([*seen.result.content, seen.result.structured, seen.result.meta])
    assert CARD not in dumped
    assert encoded not in dumped
    assert base64.b64decode(seen.result.content[2]["resource"]["blob"]) == b"card [CREDIT_CARD]"
    assert seen.result.structured == {"rows": [{"card": "[CREDIT_CARD]"}]}
    assert {item.place for item in seen.findings} >= {
        "/content/0/text",
        "/content/0/annotations/note",
        "/content/1/resource/text",
        "/content/2/resource/blob",
        "/content/3/description",
        "/structuredContent/rows/0/card",
        "/_meta/note",
    }


def test_binary_data_is_left_as_it_is():
    image = base64.b64encode(bytes(range(256)) * 8).decode()
    result = ToolResult(
        content=(
            {"type": "image", "data": image, "mimeType": "image/png"},
            {"type": "audio", "data": image, "mimeType": "audio/wav"},
            {"type": "resource", "resource": {"uri": "file:///b", "blob": image}},
        )
    )
    assert back(result, inbound=STRICT).result == result


def test_a_blocking_finding_withholds_a_result():
    seen = back(ToolResult.text(CARD, structured={"a": 1}), inbound={"CREDIT_CARD": BLOCK})
    assert seen.result == ToolResult.text("The result was withheld: it holds CREDIT_CARD.", is_error=True)


def test_clean_traffic_passes_unchanged():
    result = ToolResult.text(clean_tool_json(), structured=json.loads(clean_tool_json()))
    seen = back(result, inbound=STRICT)
    assert seen.result == result
    assert seen.findings == ()


@pytest.mark.parametrize("tool", ["file_write", "file_edit"])
def test_writing_a_mask_marker_is_blocked_unless_a_person_approved_it(tool):
    arguments = {"path": "/workspace/a", "content": "the card is [CREDIT_CARD]"}
    seen = out(arguments, target="sandbox", name=tool)
    assert [item.entity for item in seen.blocked] == ["MASK_MARKER"]
    assert not out(arguments, target="sandbox", name=tool, resumed=True).blocked
    assert not out(arguments, target="sandbox", name="shell_run").blocked
    assert not out({**arguments, "content": "see [TODO]"}, target="sandbox", name=tool).blocked


@pytest.mark.parametrize(
    ("limit", "arguments"),
    [
        ({"max_bytes": 10}, {"a": "12345", "b": "12345"}),
        ({"max_depth": 3}, {"a": [[["x"]]]}),
        ({"max_depth": 3}, {"a": json.dumps([json.dumps([json.dumps(["x"])])])}),
        ({"max_leaves": 3}, {"a": 1, "b": 2, "c": 3}),
    ],
)
def test_over_a_limit_nothing_passes(limit, arguments):
    seen = out(arguments, target="sandbox", **limit)
    assert [item.entity for item in seen.blocked] == ["LIMIT"]
    assert seen.arguments == {}
    (smaller,) = [{name: value + 100} for name, value in limit.items()]
    assert out(arguments, target="sandbox", **smaller).arguments == arguments
    result = back(ToolResult.text("ok", structured=arguments), **limit)
    assert result.result == ToolResult.text(WITHHELD, is_error=True)
    assert [item.entity for item in result.findings] == ["LIMIT"]


def test_a_fingerprint_is_keyed_and_the_same_for_one_value_however_it_is_written():
    first = out(
        {"a": "4111 1111 1111 1111", "b": ["4111-1111-1111-1111"], "c": "5500 0000 0000 0004"}
    ).findings
    assert first[0].fingerprint == first[1].fingerprint != first[2].fingerprint
    other = redactor()
    other._settings = PrivacySettings(key=Secret("another key of the tests"))
    seen = other.outbound(action({"a": "4111 1111 1111 1111"}), resumed=False)
    assert seen.findings[0].fingerprint != first[0].fingerprint


@pytest.mark.parametrize("entity", [name for name in POSITIVES if name != "IP_ADDRESS"])
def test_no_finding_holds_its_value_not_even_as_a_place(entity):
    for value in POSITIVES[entity]:
        seen = out({value: {"inner": value}, "list": [value]}, outbound={**STRICT, "EMAIL_ADDRESS": ALLOW})
        assert seen.findings
        told = repr([asdict(item) for item in seen.findings]) + repr(seen.findings)
        core = max(value.split(), key=len)
        core = core if len(core) > 5 else value
        assert core not in told


def test_both_detectors_together_find_no_less():
    text = f"{CARD} jane@corp.io {AWS_KEY}"
    seen = out({"a": text}, outbound=STRICT, detectors=("patterns", "presidio"))
    assert seen.arguments == {"a": "[CREDIT_CARD] [EMAIL_ADDRESS] [SECRET]"}


def test_an_entity_that_no_detector_finds_can_not_be_configured_away_silently():
    with pytest.raises(ConfigurationError, match="PERSON"):
        redactor(outbound={"PERSON": MASK})
    redactor(outbound={"PERSON": ALLOW})
    with pytest.raises(ConfigurationError, match="CRYPTO"):
        redactor(inbound={"CRYPTO": MASK})
    redactor(outbound={}, inbound={"CRYPTO": MASK}, detectors=("presidio",))


@pytest.mark.parametrize("name", ["tokenise", "pseudonymise"])
def test_an_action_of_a_later_version_is_refused(name):
    with pytest.raises(ConfigurationError, match="not in this version") as raised:
        parse_actions({"CREDIT_CARD": name}, ("privacy", "default", "outbound"))
    assert raised.value.path == ("privacy", "default", "outbound", "CREDIT_CARD")
    with pytest.raises(ConfigurationError):
        PrivacySettings(key=KEY, outbound={"CREDIT_CARD": name})
    with pytest.raises(ConfigurationError):
        DestinationSettings(inbound={"CREDIT_CARD": "hide"})


def test_plain_words_work_as_actions():
    assert out({"a": CARD}, outbound={"CREDIT_CARD": "block"}).blocked


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_bytes": 0},
        {"max_depth": 0},
        {"max_leaves": 0},
        {"max_decoding": 0},
        {"detectors": ()},
        {"detectors": ("ner",)},
        {"key": Secret("x" * 15)},
    ],
)
def test_the_first_wrong_value_of_each_setting_is_refused(wrong):
    with pytest.raises(ConfigurationError):
        PrivacySettings(**{"key": KEY, **wrong})


PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from([value for values in POSITIVES.values() for value in values]),
    st.sampled_from(
        ["[SECRET]", "[CREDIT_CARD]", "password=", "token: ", "4111", "-", '"', "{", "%34", "AKIA"]
    ),
)
TEXTS = st.lists(PIECES, max_size=5).map("".join)
NAMES = TEXTS | st.just("password")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.just("password"), inner, max_size=3)
    ),
    max_leaves=8,
)


def same_shape(before, after):
    if isinstance(before, dict):
        assert isinstance(after, dict)
        assert len(before) == len(after)
        for old, new in zip(before.values(), after.values(), strict=True):
            same_shape(old, new)
    elif isinstance(before, list):
        assert len(before) == len(after)
        for old, new in zip(before, after, strict=True):
            same_shape(old, new)
    elif isinstance(before, str):
        assert isinstance(after, str)
        assert len(after) <= 8 * len(before) + 20
    else:
        assert after == before or isinstance(after, str)


@given(st.dictionaries(NAMES, JSON, max_size=3))
def test_masking_keeps_the_shape_and_doing_it_again_changes_nothing(arguments):
    room = redactor(outbound=STRICT)
    once = room.outbound(action(arguments), resumed=False)
    json.dumps(once.arguments, allow_nan=False)
    same_shape(arguments, once.arguments)
    again = room.outbound(action(once.arguments), resumed=False)
    assert again.arguments == once.arguments
    assert not again.changed
