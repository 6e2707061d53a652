# SPDX-License-Identifier: Apache-2.0
"""A schema of an upstream, or arguments for an honest one, that make the check before the decision endless.

The check runs where all agents wait. Each case took minutes to centuries; a hang is the failure, so each runs
in a process that is killed.
"""

from __future__ import annotations

import multiprocessing

import pytest

from yett.tools.schema import MAX_STEPS, MAX_UNEVALUATED, SchemaCheck

EVIL = "^(a+)+$"
EVIL_NAME = "a" * 64 + "!"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
MIXED = [item for number in range(30_000) for item in (number, str(number))]
DOUBLING = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)} | {
    "a40": {"type": "string"}
}


def props(inner, **more):
    return {"type": "object", "properties": {"a": inner}, **more}


CASES = {
    "unique items of mixed types": (props({"type": "array", "uniqueItems": True}), {"a": MIXED}, None),
    "a backtracking pattern for names": (
        {"type": "object", "patternProperties": {EVIL: {}}},
        {EVIL_NAME: 1},
        None,
    ),
    "a backtracking pattern for other names": (
        {"type": "object", "patternProperties": {EVIL: {}}, "additionalProperties": False},
        {EVIL_NAME: 1},
        "may have only",
    ),
    "a dialect that brings its own patterns": (
        props({"$schema": DIALECT, "pattern": EVIL}),
        {"a": EVIL_NAME},
        "must look like",
    ),
    "a dialect behind a reference to the root": (
        {"$schema": DIALECT, "properties": {"a": {"$ref": "#"}}, "pattern": EVIL},
        {"a": EVIL_NAME},
        "must look like",
    ),
    "patterns in what was not evaluated": (
        {"type": "object", "patternProperties": {EVIL: {}}, "unevaluatedProperties": False},
        {EVIL_NAME: 1},
        "can't be checked",
    ),
    "references that double": (props({"$ref": "#/$defs/a0"}, **{"$defs": DOUBLING}), {"a": "x"}, "can't be"),
    "too many that were not evaluated": (
        props({"unevaluatedItems": {"type": "integer"}}),
        {"a": [1] * (MAX_UNEVALUATED + 1)},
        "can't be checked",
    ),
    "a million misfits": (props({"items": {"type": "string"}}), {"a": [{}] * 300_000}, "must be of type"),
    "a schema that is itself hard to check": (props({"required": MIXED}), {}, "can't be checked"),
}


def check(schema, arguments, into):
    into.put(SchemaCheck().problem("digest", schema, arguments))


@pytest.mark.parametrize("case", CASES)
def test_the_check_ends(case):
    schema, arguments, wanted = CASES[case]
    fork = multiprocessing.get_context("fork")
    said = fork.SimpleQueue()
    process = fork.Process(target=check, args=(schema, arguments, said))
    process.start()
    process.join(90)
    hangs = process.is_alive()
    process.kill()
    assert not hangs
    problem = said.get()
    assert problem is None if wanted is None else wanted in problem


def test_what_is_large_and_honest_still_fits():
    schema = props(
        {"type": "array", "items": {"$ref": "#/$defs/row"}}, **{"$defs": {"row": {"type": "object"}}}
    )
    assert SchemaCheck().problem("digest", schema, {"a": [{}] * 50_000}) is None


def test_the_first_step_over_the_limit_is_a_misfit():
    schema = {"type": "object", "properties": {"a": {"items": True}}}
    check = SchemaCheck()
    # `type`, `properties` and `items` are a step each, with what they look at.
    fits = MAX_STEPS - (1 + 1) - (1 + 1 + 1) - 1
    assert check.problem("digest", schema, {}) is None
    assert check.problem("digest", schema, {"a": [0] * fits}) is None
    assert "can't be checked" in check.problem("digest", schema, {"a": [0] * (fits + 1)})


def test_uniqueness_is_of_json_values():
    schema = props({"uniqueItems": True})
    assert SchemaCheck().problem("digest", schema, {"a": [1, "1", True, None, [1], {"a": 1}]}) is None
    for twice in ([1, 1.0], [{"a": 1, "b": 2}, {"b": 2, "a": 1}], ["x", "x"], [[1.0], [1]]):
        assert "uniqueItems" in SchemaCheck().problem("digest", schema, {"a": twice})


def test_members_beside_patterns_are_refused_and_those_of_a_pattern_are_not():
    schema = {
        "type": "object",
        "properties": {"b": {}},
        "patternProperties": {"^x-": {"type": "string"}},
        "additionalProperties": {"type": "integer"},
    }
    check = SchemaCheck()
    assert check.problem("digest", schema, {"b": None, "x-1": "y", "other": 1}) is None
    assert check.problem("digest", schema, {"x-1": 1}) is not None
    assert check.problem("digest", schema, {"other": "y"}) is not None
