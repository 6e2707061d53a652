# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.upstreams.names import decode_name, encode_name, visible


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("create_issue", "create_issue"),
        ("get-Weather2", "get-Weather2"),
        ("get.weather", "get_x2e_weather"),
        ("a_x2e_b", "a_x5f_x2e_b"),
        ("naïve", "na_xef_ve"),
        ("_x2.", "_x5f_x2_x2e_"),
    ],
)
def test_a_name_keeps_what_models_take_and_shows_the_rest(name, served):
    assert encode_name(name) == served


@given(st.text(alphabet="_x2e5f.a-\u200b\U0001f600", max_size=12) | st.text(max_size=20))
def test_every_name_maps_to_one_served_name_and_back(name):
    served = encode_name(name)
    assert decode_name(served) == name
    assert re.fullmatch(r"[A-Za-z0-9_-]*", served)


@given(st.text(max_size=60), st.integers(0, 40))
def test_shown_text_is_bounded_and_cleaning_it_again_changes_nothing(text, limit):
    shown = visible(text, limit)
    assert len(shown) <= max(limit, 1)
    assert visible(shown, 100) == shown
    assert not set(shown) & set("\u200b\u202e\ufeff\x00\x1b\u2066")
