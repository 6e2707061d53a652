# SPDX-License-Identifier: Apache-2.0
"""Tool poisoning: instructions in invisible characters, schemas that point elsewhere, shadowed names."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "upstreams"))
from upstream_calls import hostile, limits

from yett.upstreams.names import decode_name
from yett.upstreams.upstreams import Upstreams


def poisoned():
    async def run():
        async with Upstreams([hostile("poisoned")], limits()).running() as upstreams:
            return {tool.name: tool for tool in upstreams.tools()}, upstreams.problems()["bad"]

    return anyio.run(run)


def test_a_poisoned_definition_is_cleaned_or_withheld():
    tools, problems = poisoned()
    hidden = "bad__hidden_x200b__x202e_name"
    assert set(tools) == {hidden, "bad__good"}
    assert decode_name(hidden) == "bad__hidden\u200b\u202ename"
    assert tools[hidden].title == "Safe title"
    assert tools[hidden].description == "Adds numbers. <ignore\nthis>"
    assert tools[hidden].input_schema == {
        "type": "object",
        "properties": {"a": {"type": "string", "description": "ab", "default": "c"}},
    }
    assert tools[hidden].annotations == {"readOnlyHint": True}
    assert len(tools["bad__good"].description) == 8192
    assert len(problems) == 8


def test_each_withheld_tool_is_told_to_the_operator_with_its_reason():
    _, problems = poisoned()
    for name, reason in {
        "bad__far": "outside itself",
        "bad__file": "outside itself",
        "bad__deep": "deeper",
        "bad__large": "larger",
        "bad__invalid": "not valid",
        "bad__enum": "invisible",
        "bad__key": "invisible",
    }.items():
        assert any(problem.startswith(f"{name}: ") and reason in problem for problem in problems)
    assert any("longer than 128" in problem for problem in problems)
