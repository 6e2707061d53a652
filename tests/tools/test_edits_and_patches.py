# SPDX-License-Identifier: Apache-2.0
"""Exact replacements and unified diffs: exactly what was asked for, or nothing."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.errors import ExecutionError
from yett.tools.edits import Edit, apply_edits
from yett.tools.patches import COMPARED_LINES, apply_patch, unified_diff

TEXTS = st.text(alphabet="ab\n\r \\+-@\u2028é", max_size=40)
LIMIT = 1000


def edited(text, *edits, limit=LIMIT):
    return apply_edits(text, tuple(Edit(**edit) for edit in edits), limit)


def test_a_text_that_occurs_once_is_replaced():
    assert edited("one two three", {"old": "two", "new": "2"}) == "one 2 three"


def test_edits_are_made_one_after_the_other():
    assert edited("a", {"old": "a", "new": "b"}, {"old": "b", "new": "c"}) == "c"


def test_a_text_that_occurs_more_than_once_is_told_with_its_lines():
    with pytest.raises(ExecutionError, match=r"Edit 1: .* occurs 3 times, at lines 1, 2, 4\."):
        edited("x\nx\n\nx", {"old": "x", "new": "y"})
    with pytest.raises(ExecutionError, match=r"7 times, at lines 1, 2, 3, 4, 5, \.\.\."):
        edited("x\n" * 7, {"old": "x", "new": "y"})
    assert edited("x\nx\n", {"old": "x", "new": "y", "replace_all": True}) == "y\ny\n"


def test_occurrences_that_overlap_are_two():
    with pytest.raises(ExecutionError, match="occurs 2 times"):
        edited("aaa", {"old": "aa", "new": "b"})


@pytest.mark.parametrize(
    ("text", "edit", "words"),
    [
        ("abc", {"old": "x", "new": "y"}, "does not occur in the file"),
        ("abc", {"old": " b\n", "new": "y"}, "with exactly this white space"),
        ("a\r\nb\nc", {"old": "a\nb", "new": "y"}, "CR LF and LF mixed"),
        ("abc", {"old": "", "new": "y"}, "`old` is empty"),
        ("abc", {"old": "a", "new": "a"}, "the same"),
    ],
)
def test_a_text_that_is_not_there_is_told_with_a_hint_and_without_the_file(text, edit, words):
    with pytest.raises(ExecutionError, match=words):
        edited(text, edit)


def test_the_second_edit_that_does_not_fit_is_named():
    with pytest.raises(ExecutionError, match="Edit 2"):
        edited("abc", {"old": "a", "new": "x"}, {"old": "a", "new": "y"})


def test_a_file_does_not_grow_over_the_limit():
    everywhere = {"old": "a", "new": "b" * 10, "replace_all": True}
    assert edited("a" * 10, everywhere, limit=100) == "b" * 100
    with pytest.raises(ExecutionError, match="longer than 99 characters"):
        edited("a" * 10, everywhere, limit=99)


def test_line_ends_of_the_file_stay():
    assert edited("a\r\nb\r\nc\r\n", {"old": "a\nb", "new": "x\ny\nz"}) == "x\r\ny\r\nz\r\nc\r\n"
    patch = "@@ -1,2 +1,2 @@\n a\n-b\n+x\n"
    assert apply_patch("a\r\nb\r\n", patch) == "a\r\nx\r\n"
    assert apply_patch("a\nb\n", patch) == "a\nx\n"


@given(TEXTS, TEXTS, TEXTS)
def test_replacing_all_is_what_python_s_replace_does(text, old, new):
    if not old or old == new or old not in text or text.count("\n") == text.count("\r\n"):
        return
    assert edited(text, {"old": old, "new": new, "replace_all": True}, limit=10**6) == text.replace(old, new)


@given(TEXTS, TEXTS)
def test_a_diff_of_two_texts_applied_to_the_first_is_the_second(before, after):
    diff = unified_diff("/f", before, after)
    if before == after:
        assert diff == ""
    elif "\r" in diff or not before or before.count("\n") != before.count("\r\n"):
        assert apply_patch(before, diff) == after


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=40), st.lists(st.sampled_from("abc"), max_size=40))
def test_our_diffs_are_taken_by_patch_of_gnu_semantics_in_difflib_s_words(old, new):
    before, after = ("".join(f"{line}\n" for line in lines) for lines in (old, new))
    assert before == after or apply_patch(before, unified_diff("/f", before, after)) == after


def test_a_diff_is_what_diff_prints(tmp_path):
    old = [f"line {n}\n" for n in range(40)]
    new = [*old[:5], "five\n", *old[6:30], *old[32:], "end"]
    (tmp_path / "a").write_text("".join(old))
    (tmp_path / "b").write_text("".join(new))
    printed = subprocess.run(["diff", "-u", "a", "b"], cwd=tmp_path, capture_output=True, text=True).stdout
    ours = unified_diff("/f", "".join(old), "".join(new))
    assert ours.split("\n")[2:] == printed.split("\n")[2:]
    assert apply_patch("".join(old), printed) == "".join(new)


def test_a_change_too_large_to_compare_is_shown_as_a_whole_and_still_applies():
    before = "".join(f"{n}\n" for n in range(COMPARED_LINES))
    after = "".join(f"{n + 1}!\n" for n in range(COMPARED_LINES))
    diff = unified_diff("/f", before, after)
    assert diff.count("@@ -") == 1
    assert apply_patch(before, diff) == after


FILE = "1\n2\n3\n4\n5\n"


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ("", "no hunks"),
        ("hello", "no part of a unified diff"),
        ("--- a\n+++ b\n", "no hunks"),
        ("@@ -1,1 +1,1 @@\n-x\n+y\n", "line 1 of the file is not what the patch has"),
        ("@@ -2,1 +2,1 @@\n-1\n+y\n", "line 2 of the file is not"),
        ("@@ -9,1 +9,1 @@\n-9\n+y\n", "has only 5 lines"),
        ("@@ -9,0 +9,1 @@\n+y\n", "has only 5 lines"),
        ("@@ -0,1 +0,1 @@\n-1\n+y\n", "counted from 1"),
        ("@@ -3,1 +3,1 @@\n-3\n+y\n@@ -1,1 +1,1 @@\n-1\n+x\n", "before the end of the one before"),
        ("@@ -1,2 +1,1 @@\n-1\n+y\n", "has not the lines its head counts"),
        ("@@ -1,1 +1,1 @@\n-1\n-2\n+y\n", "has not the lines its head counts"),
        ("@@ -1,1 +1,1 @@\n-1\n+y\n+z\n", "not the head of a hunk"),
        ("@@ -1,1 +1,1 @@\n*1\n", "begins with neither"),
        ("@@ -1 +1 @@\n-1\n+y\n--- a/other\n+++ b/other\n@@ -1 +1 @@\n-1\n+y\n", "about one file"),
        ("@@ -5,0 +6,1 @@\n+6\n\\ No newline at end of file\n@@ -5,0 +6,1 @@\n+7\n", "without an end"),
    ],
)
def test_a_patch_that_does_not_fit_exactly_is_refused_and_says_where(patch, words):
    with pytest.raises(ExecutionError, match=words):
        apply_patch(FILE, patch)


def test_a_refusal_holds_nothing_of_the_file():
    with pytest.raises(ExecutionError) as refused:
        apply_patch("the secret\n", "@@ -1 +1 @@\n-x\n+y\n")
    assert "secret" not in str(refused.value)


def test_several_hunks_apply_at_the_lines_of_the_old_file():
    patch = "--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n 1\n+1.5\n 2\n@@ -5 +6,1 @@ def f():\n-5\n+five\n"
    assert apply_patch(FILE, patch) == "1\n1.5\n2\n3\n4\nfive\n"


@given(TEXTS, st.text(alphabet="@-+ 0123,\\\nab", max_size=60))
def test_whatever_is_sent_as_a_patch_applies_or_is_refused(text, patch):
    try:
        apply_patch(text, patch)
        apply_patch(text, f"@@ -1,1 +1,1 @@\n{patch}")
    except ExecutionError:
        return
