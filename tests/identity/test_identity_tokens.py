# SPDX-License-Identifier: Apache-2.0
"""The form of a token."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.identity.tokens import CredentialKind, TokenParts, compose, is_name, parse

RANDOM = "A" * 42 + "_"
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
RANDOMS = st.text(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", min_size=43, max_size=43
)


@given(kind=st.sampled_from(CredentialKind), name=NAMES, random=RANDOMS)
def test_what_was_composed_is_parsed_back(kind, name, random):
    assert parse(compose(kind, name, random)) == TokenParts(kind, name)


def test_the_form_is_the_documented_one():
    token = compose(CredentialKind.AGENT, "research-1", RANDOM)
    assert re.fullmatch(r"yett_agent_research-1_[A-Za-z0-9_-]{43}[0-9a-f]{8}", token)


@given(name=NAMES, random=RANDOMS, place=st.integers(0, 200), character=st.characters(codec="ascii"))
def test_a_token_with_one_character_changed_is_not_a_token(name, random, place, character):
    token = compose(CredentialKind.AGENT, name, random)
    place %= len(token)
    changed = token[:place] + character + token[place + 1 :]
    assert (parse(changed) is None) == (changed != token)


@given(st.text())
def test_any_text_is_parsed_without_an_error(text):
    assert parse(text) is None


@pytest.mark.parametrize("name", ["a", "a1", "research-1", "x" * 63])
def test_a_dns_label_is_a_name(name):
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "A", "a_b", "-a", "a-", "a b", "é", "x" * 64, "a\n", "a.b", "../a"])
def test_anything_else_is_not_a_name(name):
    assert not is_name(name)
    with pytest.raises(ValueError, match="do not make a token"):
        compose(CredentialKind.AGENT, name, RANDOM)


@pytest.mark.parametrize("random", ["", "A" * 42, "A" * 44, "A" * 42 + "="])
def test_a_random_part_of_another_shape_is_refused(random):
    with pytest.raises(ValueError, match="do not make a token"):
        compose(CredentialKind.AGENT, "a", random)
