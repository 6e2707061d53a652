# SPDX-License-Identifier: Apache-2.0
"""Durations and sizes have one reading, or none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.units import bytes_of, seconds_of


@pytest.mark.parametrize(
    ("text", "value"),
    [("250ms", 0.25), ("30s", 30), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), (4, 4), (0.5, 0.5)],
)
def test_durations_are_written_as_people_write_them(text, value):
    assert seconds_of(text) == value


@pytest.mark.parametrize(
    "text",
    ["0s", "-1s", "10", "10 minutes", "", "1e3s", "10m5m", "5m10h", ".5h", "1.h", "1\u0660s", "1" * 40 + "s"],
)
def test_what_is_no_duration_has_no_reading(text):
    assert seconds_of(text) is None


@pytest.mark.parametrize("value", [0, True, -1, None, float("inf"), float("nan"), [], b"1s"])
def test_a_value_that_is_no_positive_number_is_no_duration(value):
    assert seconds_of(value) is None


@pytest.mark.parametrize(
    ("text", "value"), [("64KiB", 65536), ("1MB", 1000000), ("1.5MiB", 1572864), (10, 10), ("7 B", 7)]
)
def test_sizes_are_written_as_people_write_them(text, value):
    assert bytes_of(text) == value


@pytest.mark.parametrize("text", ["0B", "10", "many", -5, True, "10 Mb", "", None, 1.5, "9" * 40 + "B"])
def test_what_is_no_size_has_no_reading(text):
    assert bytes_of(text) is None


@given(st.text())
def test_any_text_is_read_or_not_and_never_breaks(text):
    assert seconds_of(text) is None or seconds_of(text) > 0
    assert bytes_of(text) is None or bytes_of(text) > 0
