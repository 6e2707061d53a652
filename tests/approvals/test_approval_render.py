# SPDX-License-Identifier: Apache-2.0
"""What a person is shown."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.action import ApprovalRecord, ApprovalState, ApprovalTerms
from yett.approvals.render import render, visible
from yett.approvals.settings import ApprovalSettings

SETTINGS = ApprovalSettings()


def record(arguments, **more):
    values = {
        "id": "apr-1",
        "key": "0123456789abcdef",
        "state": ApprovalState.PENDING,
        "agent": "research-1",
        "user": "kim",
        "lineage": "ses-1",
        "task": None,
        "tool": "mail__send",
        "target": "upstream:mail",
        "arguments": arguments,
        "rule": "mail-out",
        "reason": "Mail leaves the company.",
        "terms": ApprovalTerms(),
        "created_at": 1_800_000_000.0,
        "expires_at": 1_800_000_600.0,
    }
    return ApprovalRecord(**{**values, **more})


def test_the_question_shows_who_what_where_why_and_until_when():
    text = render(record({"to": ["bob@example.com"], "n": 1, "body": {"a b": None, "html": ""}}), SETTINGS)
    assert text.splitlines() == [
        "Agent research-1 (on behalf of kim) asks to run mail__send on upstream:mail.",
        "Rule mail-out: Mail leaves the company.",
        "Arguments:",
        '  to[0]      | "bob@example.com"',
        "  n          | 1",
        '  body."a b" | null',
        '  body.html  | ""',
        "An approval covers exactly this call, once, until 2027-01-15 08:10:00 UTC. (apr-1, digest 01234567)",
    ]


def test_a_call_without_arguments_says_so():
    assert "  (none)" in render(record({}), SETTINGS)


def test_empty_lists_and_objects_are_shown():
    text = render(record({"a": [], "b": {}}), SETTINGS)
    assert "  a | []" in text
    assert "  b | {}" in text


@pytest.mark.parametrize("fits", [True, False])
def test_a_value_one_byte_over_the_limit_is_cut_and_counted(fits):
    value = "x" * (SETTINGS.shown_value_limit - 2 + (not fits))
    assert ("1 bytes not shown" in render(record({"a": value}), SETTINGS)) is not fits


def test_arguments_beyond_the_limit_are_counted():
    text = render(record({f"n{n}": "x" * 1000 for n in range(20)}), SETTINGS)
    assert "more arguments" in text
    assert "bytes not shown" in text
    assert len(text.encode()) < SETTINGS.shown_arguments_limit + 1000


@given(st.text())
def test_shown_text_is_one_line_and_holds_nothing_invisible(text):
    for character in visible(text):
        assert character == " " or unicodedata.category(character)[0] not in {"C", "Z"}


@given(st.text(), st.text())
def test_two_texts_that_differ_are_shown_differently(one, other):
    assert (visible(one) == visible(other)) == (one == other)


@given(st.dictionaries(st.text(), st.recursive(st.text() | st.none() | st.integers(), st.lists), max_size=5))
def test_arguments_never_add_lines_outside_the_table(arguments):
    lines = render(record(arguments), SETTINGS).split("\n")
    assert all(line.startswith("  ") for line in lines[3:-1])
    assert lines[-1].startswith("An approval covers exactly this call")
