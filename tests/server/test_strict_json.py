# SPDX-License-Identifier: Apache-2.0
"""One reading for every byte string, or none."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.errors import BadRequest
from yett.server.strict_json import parse_strict, parse_strict_object

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(values)
def test_what_json_can_say_is_read_as_it_was_meant(value):
    assert parse_strict(json.dumps(value).encode()) == value
    assert parse_strict(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_and_never_break_the_parser(data):
    with contextlib.suppress(BadRequest):
        json.dumps(parse_strict(data), allow_nan=False).encode()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a":1,"a":2}', "twice"),
        (b'{"x":{"a":1,"b":2,"a":1}}', "twice"),
        (b'{"a":1,"\\u0061":2}', "twice"),
        (b'{"a":NaN}', "NaN"),
        (b'{"a":Infinity}', "Infinity"),
        (b'{"a":-Infinity}', "Infinity"),
        (b'{"a":1e999}', "too large"),
        (b'{"a":-1e999}', "too large"),
        (b'{"a":' + b"9" * 5000 + b"}", "too long"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"\\udfff":1}', "surrogate"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b'\xef\xbb\xbf{"a":1}', "JSON"),
        (b'{"a":1}{"b":2}', "JSON"),
        (b"{'a':1}", "JSON"),
        (b'{"a":01}', "JSON"),
        (b'{"a":1,}', "JSON"),
        (b"", "JSON"),
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(text, reason):
    with pytest.raises(BadRequest, match=reason):
        parse_strict(text)


def test_a_surrogate_pair_is_one_character():
    assert parse_strict(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_the_first_level_that_is_too_deep_is_refused():
    def nested(levels):
        return b"[" * levels + b"]" * levels

    assert parse_strict(nested(64), max_depth=64)
    with pytest.raises(BadRequest, match="deeper than 64"):
        parse_strict(nested(65), max_depth=64)


def test_many_levels_do_not_exhaust_the_stack():
    with pytest.raises(BadRequest, match="deeper"):
        parse_strict(b"[" * 2_000_000)


def test_many_brackets_side_by_side_are_not_depth():
    assert parse_strict(b"[" + b",".join([b"{}"] * 500) + b"]", max_depth=8) == [{}] * 500


def test_a_batch_is_not_an_object():
    with pytest.raises(BadRequest, match="batches"):
        parse_strict_object(b'[{"jsonrpc":"2.0"}]')


def test_the_reason_repeats_nothing_long_of_the_content():
    key = "k" * 5000
    with pytest.raises(BadRequest) as refused:
        parse_strict(json.dumps({"x": 1})[:-1].encode() + f',"{key}":1,"{key}":2}}'.encode())
    assert len(refused.value.public()) < 200
