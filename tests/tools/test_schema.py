# SPDX-License-Identifier: Apache-2.0
"""Arguments fit the schema or the call is refused, in words that repeat no argument."""

import pytest

from yett.tools.schema import SchemaCheck

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "maxLength": 10},
        "mode": {"enum": ["r", "w"]},
        "many": {"type": "array", "items": {"type": "integer"}},
    },
    "required": ["path"],
    "additionalProperties": False,
}


def problem(schema, arguments):
    return SchemaCheck().problem("digest", schema, arguments)


def test_arguments_that_fit_have_no_problem():
    assert problem(SCHEMA, {"path": "x", "mode": "r", "many": [1, 2]}) is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "must have `path`"),
        ({"path": 5}, "`path` must be of type string"),
        ({"path": "x", "extra-SECRET": 1}, "may have only `many`, `mode`, `path`"),
        ({"path": "x", "mode": "SECRET"}, "`mode` must be one of 'r', 'w'"),
        ({"path": "x", "many": [1, "SECRET"]}, "`many[1]` must be of type integer"),
        ({"path": "SECRET-SECRET"}, "`path` does not fit the schema's maxLength: 10"),
    ],
)
def test_the_sentence_names_the_place_and_repeats_no_value(arguments, words):
    said = problem(SCHEMA, arguments)
    assert words in said
    assert "SECRET" not in said


def test_a_reference_outside_the_schema_is_never_fetched():
    assert "can't be checked" in problem({"$ref": "http://127.0.0.1:1/x.json"}, {})


def test_a_schema_that_never_ends_is_a_misfit():
    assert "can't be checked" in problem({"$ref": "#"}, {})


def test_a_schema_that_is_none_is_a_misfit():
    assert "can't be checked" in problem({"type": 5}, {})


def test_a_pattern_runs_in_linear_time():
    schema = {"properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}}
    assert problem(schema, {"x": "a" * 50_000 + "b"}) is not None
    assert problem(schema, {"x": "a" * 50_000}) is None


def test_a_pattern_that_linear_time_cannot_do_is_a_misfit():
    assert "can't be checked" in problem({"properties": {"x": {"pattern": "(?=a)a"}}}, {"x": "a"})
