# SPDX-License-Identifier: Apache-2.0
"""YAML with one meaning and the line of every value."""

import pytest

from yett.config.document import Document
from yett.errors import ConfigurationError


def test_words_that_yaml_1_1_would_change_stay_what_was_written():
    found = Document("a: on\nb: no\nc: 08:00\nd: 1_000\ne: 0o17\nf: 017\ng: 2026-11-22\nh: 22:30:00\n").value
    assert found == {
        "a": "on",
        "b": "no",
        "c": "08:00",
        "d": "1_000",
        "e": "0o17",
        "f": "017",
        "g": "2026-11-22",
        "h": "22:30:00",
    }


def test_plain_true_false_null_and_numbers_are_values_and_quoted_ones_are_text():
    found = Document("a: true\nb: 'true'\nc: 12\nd: -1.5e3\ne:\nf: \"12\"\n").value
    assert found == {"a": True, "b": "true", "c": 12, "d": -1500.0, "e": None, "f": "12"}


def test_each_value_knows_its_line():
    document = Document("version: 1\nrules:\n  - id: a\n  - id: b\n    when:\n      args.path: x\n")
    assert document.line(("rules", 1, "when", "args.path")) == 6
    assert document.line(("rules", 1, "missing")) == 4
    assert document.place(("rules", 1), "wrong") == "yett.yaml, line 4: rules.1: wrong"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: 1\nb: {c: 1, c: 2}\n", "line 2: the key 'c' stands here twice"),
        ("a: &x 1\nb: *x\n", "no aliases"),
        ("- 1\n", "must be a mapping"),
        ("", "must be a mapping"),
        ("a: [1\n", "line"),
        ("? [a]\n: 1\n", "a key must be text"),
    ],
)
def test_what_could_be_misread_is_refused_with_its_line(text, reason):
    with pytest.raises(ConfigurationError) as refused:
        Document(text)
    assert reason in str(refused.value)
