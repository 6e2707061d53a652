# SPDX-License-Identifier: Apache-2.0
"""What the detectors find and leave alone; ours and Presidio's side by side."""

from __future__ import annotations

import gc
import json
import sys
import time

import pytest
from privacy_samples import NAMED, NAMED_NEAR_MISSES, NEAR_MISSES, POSITIVES, clean_tool_json

from yett.errors import ConfigurationError
from yett.privacy.entities import PATTERN_ENTITIES
from yett.privacy.normalise import plain
from yett.privacy.patterns import PatternDetector
from yett.privacy.presidio import OVERLAP, WINDOW, PresidioDetector

ALL = PatternDetector(PATTERN_ENTITIES)


def entities(text, key="", detector=ALL):
    return {span.entity for span in detector.find(text, key)}


@pytest.mark.parametrize(
    ("entity", "text"), [(entity, text) for entity, texts in POSITIVES.items() for text in texts]
)
def test_a_value_is_found_alone_and_in_a_sentence(entity, text):
    assert entity in entities(text)
    assert entity in entities(f"Please note: {text}\nthank you")


@pytest.mark.parametrize(
    ("entity", "text"), [(entity, text) for entity, texts in NEAR_MISSES.items() for text in texts]
)
def test_a_near_miss_is_left_alone(entity, text):
    assert entity not in entities(text)


@pytest.mark.parametrize(("key", "text", "entity"), NAMED)
def test_the_name_of_a_field_makes_a_doubtful_value_certain(key, text, entity):
    assert entity in entities(text, key)
    assert entities(text, "") == set()


@pytest.mark.parametrize(("key", "text"), NAMED_NEAR_MISSES)
def test_the_name_of_a_field_does_not_make_everything_private(key, text):
    assert entities(text, key) == set()


def test_clean_tool_traffic_has_no_finding():
    text = clean_tool_json()
    assert len(text) > 9_000
    assert PatternDetector().find(text, "") == ()
    for row in json.loads(text)["items"]:
        for key, value in row.items():
            assert PatternDetector().find(str(value), key) == ()


def test_spans_are_exact():
    text = "pay 4111 1111 1111 1111, to DE89 3704 0044 0532 0130 00 and tell jane@corp.io"
    found = {span.entity: text[span.start : span.end] for span in ALL.find(text, "")}
    assert found == {
        "CREDIT_CARD": "4111 1111 1111 1111",
        "IBAN_CODE": "DE89 3704 0044 0532 0130 00",
        "EMAIL_ADDRESS": "jane@corp.io",
    }


@pytest.mark.parametrize(
    "text",
    [
        "card \uff14\uff11\uff11\uff11 \uff11\uff11\uff11\uff11 1111 1111 ok",
        "card 4111\u00a01111\u00a01111\u00a01111 ok",
        "card 4111\u20111111\u20111111\u20111111 ok",
        "card 41\u200b1111\u200d1111\u2060111111 ok",
        "card ٤١١١١١١١١١١١١١١١ ok",
        "carte é 4111 1111 1111 1111 ok",
    ],
)
def test_a_card_in_other_characters_is_found_at_its_place_in_the_original(text):
    (span,) = [span for span in ALL.find(text, "") if span.entity == "CREDIT_CARD"]
    assert text[: span.start].endswith(" ")
    assert text[span.end :] == " ok"


def test_a_private_key_without_its_end_is_found_as_far_as_it_goes():
    body = "MIIEowIBAAKCAQEA" * 8
    text = f"key:\n-----BEGIN PRIVATE KEY-----\n{body}\n"
    (span,) = [span for span in ALL.find(text, "") if span.score == 1.0]
    assert body in text[span.start : span.end]


def test_only_the_password_of_a_url_is_the_secret():
    text = "postgres://app:s3cr3t@db/sales"
    assert [text[span.start : span.end] for span in ALL.find(text, "")] == ["s3cr3t"]


def test_addresses_are_looked_for_only_when_asked():
    assert entities("10.1.2.3", detector=PatternDetector()) == set()


@pytest.mark.parametrize(
    "unit",
    [
        "4111 1111 1111 1112 ",
        "password=",
        "a_token=a_token=",
        "://a:",
        "-----BEGIN PRIVATE KEY-----",
        "1 2 3 4 5 6 7 8 9 0 ",
        "DE89 3704 ",
        "+1 415 ",
        "eyJaaaaaaaa.",
        "a@b.",
        "AKIA",
        "login a password ",
        "é4111 ",
        "prose of words, and a number 12345 here and there. ",
    ],
)
def test_the_time_is_linear_in_the_length(unit):
    def once(length: int) -> float:
        text = (unit * (length // len(unit) + 1))[:length]
        start = time.thread_time()
        ALL.find(text, "note")
        return time.thread_time() - start

    once(1_000)
    gc.disable()  # a collection costs what the tests before have left, not what this text is long
    try:
        rounds = [(once(50_000), once(200_000)) for _ in range(5)]
    finally:
        gc.enable()
    short, long = (min(times) for times in zip(*rounds, strict=True))
    assert long < 8 * max(short, 0.002)  # four times the length: 4 is linear, 16 is quadratic


def test_plain_text_keeps_the_way_back():
    text = "a\u200bbé\uff14\N{LATIN SMALL LIGATURE FI}"
    form = plain(text)
    assert form.text == "abe4fi"
    assert [form.original(place, place + 1) for place in range(6)] == [
        (0, 1),
        (2, 3),
        (3, 4),
        (4, 5),
        (5, 6),
        (5, 6),
    ]


@pytest.mark.parametrize("entity", ["CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "US_SSN", "PHONE_NUMBER"])
def test_presidio_finds_a_plain_value_of_each_entity_too(entity):
    detector = presidio()
    text = {
        "CREDIT_CARD": "4111111111111111",
        "EMAIL_ADDRESS": "jane.doe@corp.io",
        "IBAN_CODE": "GB82WEST12345698765432",
        "US_SSN": "212-09-9998",
        "PHONE_NUMBER": "(415) 555-2671",
    }[entity]
    assert entity in entities(f"this is {text} here", detector=detector)
    assert entity in entities(f"this is {text} here")
    assert entity in detector.entities


def test_presidio_sees_a_value_on_the_edge_of_a_window():
    detector = presidio()
    for before in (WINDOW - 10, WINDOW - OVERLAP - 10, 2 * (WINDOW - OVERLAP) - 3):
        text = "x " * (before // 2) + "4111111111111111 and more"
        found = [span for span in detector.find(text, "") if span.entity == "CREDIT_CARD"]
        assert [text[span.start : span.end] for span in found] == ["4111111111111111"]


def test_presidio_never_touches_the_network(monkeypatch):
    import socket

    def refuse(*arguments, **named):
        raise AssertionError("tried the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert "EMAIL_ADDRESS" in entities("jane.doe@corp.io", detector=presidio())


def test_presidio_configured_and_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "presidio_analyzer.predefined_recognizers", None)
    with pytest.raises(ConfigurationError) as raised:
        PresidioDetector()
    assert "yett[presidio]" in raised.value.advice()


def presidio() -> PresidioDetector:
    return PresidioDetector()
