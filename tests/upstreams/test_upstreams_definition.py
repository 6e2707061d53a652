# SPDX-License-Identifier: Apache-2.0
"""The first rejected value of each limit on definitions and results."""

from __future__ import annotations

import json

import pytest

from yett.errors import UpstreamError
from yett.upstreams.definition import definition_of
from yett.upstreams.result import result_of
from yett.upstreams.settings import UpstreamLimits, UpstreamSpec

SPEC = UpstreamSpec(name="up", command=("x",))
OBJECT = {"type": "object"}


def define(tool, **limits):
    return definition_of({"name": "t", "inputSchema": OBJECT, **tool}, SPEC, UpstreamLimits(**limits))


def result(raw, **limits):
    return result_of(raw, "up", frozenset(), UpstreamLimits(**limits))


def test_a_name_of_the_limit_is_served_and_a_longer_one_is_not():
    assert define({"name": "abc"}, name_length=7).name == "up__abc"
    with pytest.raises(UpstreamError, match="longer than 7"):
        define({"name": "abcd"}, name_length=7)


def test_a_schema_of_the_limits_is_served_and_a_larger_one_is_not():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    size = len(json.dumps(schema))
    assert define({"inputSchema": schema}, schema_bytes=size, schema_depth=3)
    with pytest.raises(UpstreamError, match="larger"):
        define({"inputSchema": schema}, schema_bytes=size - 1)
    with pytest.raises(UpstreamError, match="deeper"):
        define({"inputSchema": schema}, schema_depth=2)
    with pytest.raises(UpstreamError, match="larger"):
        define({"outputSchema": schema}, schema_bytes=size - 1)


def test_a_long_description_is_cut_with_a_mark():
    assert define({"description": "abcd"}, description_length=4).description == "abcd"
    assert define({"description": "abcde"}, description_length=4).description == "abc\u2026"


def test_references_inside_the_schema_are_kept():
    schema = {
        "type": "object",
        "$defs": {"a": {"type": "string"}},
        "properties": {"x": {"$ref": "#/$defs/a"}},
    }
    assert define({"inputSchema": schema}).input_schema == schema


@pytest.mark.parametrize("key", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize("target", ["https://a.test/s", "//a.test/s", "other.json", "file:///x#/a", "urn:x"])
def test_references_that_leave_the_schema_are_refused(key, target):
    with pytest.raises(UpstreamError, match="outside itself"):
        define({"inputSchema": {"type": "object", "anyOf": [{key: target}]}})


def test_only_a_trusted_upstream_s_results_lose_their_label():
    trusted = UpstreamSpec(name="up", command=("x",), result="trusted")
    tool = {"name": "t", "inputSchema": OBJECT}
    assert definition_of(tool, trusted, UpstreamLimits()).result_labels == frozenset()
    assert definition_of(tool, SPEC, UpstreamLimits()).result_labels == {"untrusted"}


def test_an_empty_prefix_serves_the_bare_name():
    bare = UpstreamSpec(name="up", command=("x",), prefix="")
    assert definition_of({"name": "t", "inputSchema": OBJECT}, bare, UpstreamLimits()).name == "t"


def test_a_result_of_the_limits_passes_and_a_larger_one_does_not():
    raw = {"content": [{"type": "text", "text": "é"}] * 2}
    size = len(json.dumps(raw, ensure_ascii=False).encode())
    assert result(raw, result_bytes=size, content_blocks=2)
    with pytest.raises(UpstreamError, match="more than"):
        result(raw, result_bytes=size - 1)
    with pytest.raises(UpstreamError, match="too long"):
        result(raw, content_blocks=1)


def test_every_known_block_passes_with_its_known_fields():
    blocks = [
        {"type": "image", "data": "aa", "mimeType": "image/png"},
        {"type": "audio", "data": "aa", "mimeType": "audio/wav"},
        {"type": "resource_link", "uri": "x:y", "name": "n", "size": 3},
        {"type": "resource", "resource": {"uri": "x:y", "text": "t"}},
    ]
    assert list(result({"content": blocks}).content) == blocks


@pytest.mark.parametrize(
    "block", [None, "text", {}, {"type": "resource", "resource": {"text": "t"}}, {"type": ["text"]}]
)
def test_a_block_that_is_none_is_refused(block):
    with pytest.raises(UpstreamError):
        result({"content": [block]})
