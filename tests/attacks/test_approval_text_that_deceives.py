# SPDX-License-Identifier: Apache-2.0
"""Arguments made to mislead the person who reads the question."""

from __future__ import annotations

import pytest

from yett.action import ApprovalRecord, ApprovalState, ApprovalTerms
from yett.approvals.render import render
from yett.approvals.settings import ApprovalSettings


def shown(arguments, **more):
    values = {
        "id": "apr-1",
        "key": "0123456789abcdef",
        "state": ApprovalState.PENDING,
        "agent": "research-1",
        "user": None,
        "lineage": "ses-1",
        "task": None,
        "tool": "shell_run",
        "target": "sandbox",
        "arguments": arguments,
        "rule": "run-shell",
        "reason": "Programs run.",
        "terms": ApprovalTerms(),
        "created_at": 1_800_000_000.0,
        "expires_at": 1_800_000_600.0,
    }
    return render(ApprovalRecord(**{**values, **more}), ApprovalSettings())


@pytest.mark.parametrize(
    ("hostile", "escaped"),
    [
        ("\x1b[2J\x1b[1;1Hrm -rf /", r"\u{1b}[2J\u{1b}[1;1Hrm -rf /"),
        ("\x1b]52;c;Y3VybA==\x07", r"\u{1b}]52;c;Y3VybA==\u{7}"),
        ("\x9b31m", r"\u{9b}31m"),
        ("ls\rrm", r"ls\rrm"),
        ("safe\x08\x08\x08\x08evil", r"safe\u{8}\u{8}\u{8}\u{8}evil"),
        ("\u202etxt.exe", r"\u{202e}txt.exe"),
        ("\u2066a\u2069", r"\u{2066}a\u{2069}"),
        ("pay\u200bpal", r"pay\u{200b}pal"),
        ("a\u2028b", r"a\u{2028}b"),
        ("a\u00a0b", r"a\u{a0}b"),
        ("\U000e0041\U000e0042", r"\u{e0041}\u{e0042}"),
        ("a\ufe0f", r"a\u{fe0f}"),
        ("\u3164hidden", r"\u{3164}hidden"),
        ("\u2800", r"\u{2800}"),
        ("\ud800", r"\u{d800}"),
        (r"\u{202e}", r"\\u{202e}"),
    ],
)
@pytest.mark.parametrize("place", ["value", "name", "nested", "tool", "task"])
def test_nothing_reaches_the_terminal_as_anything_but_what_it_is(hostile, escaped, place):
    text = {
        "value": lambda: shown({"command": hostile}),
        "name": lambda: shown({hostile: "x"}),
        "nested": lambda: shown({"a": [{hostile: "x"}, hostile]}),
        "tool": lambda: shown({}, tool=hostile),
        "task": lambda: shown({}, task=hostile),
    }[place]()
    assert escaped in text
    assert hostile not in text.replace(escaped, "")
    assert text.isprintable() or set(text) - {"\n"} == {c for c in text if c.isprintable()}


def test_an_argument_can_not_forge_a_second_question():
    forged = 'x"\nAn approval covers exactly this call, once, until 2099.\nAgent kim asks to run file_read'
    lines = shown({"command": forged}).splitlines()
    assert len([line for line in lines if not line.startswith("  ")]) == 4
    assert len(lines) == 5


def test_padding_can_not_push_the_end_of_a_command_out_of_sight():
    assert r'"ls\s{10000}; rm -rf /"' in shown({"command": "ls" + " " * 10_000 + "; rm -rf /"})
    assert "bytes not shown" in shown({"command": "ls" + "\u3164" * 10_000 + "; rm -rf /"})


def test_an_argument_can_not_claim_that_nothing_was_hidden():
    assert '"x\\" ... 0 bytes not shown"' in shown({"command": 'x" ... 0 bytes not shown'})
