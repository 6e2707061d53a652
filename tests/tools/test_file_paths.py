# SPDX-License-Identifier: Apache-2.0
"""The one form of a path, and what is said where a part of it is a symbolic link."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.errors import ExecutionError
from yett.testing import MemorySandboxes
from yett.tools.file_edit import FileEdit
from yett.tools.file_list import FileList
from yett.tools.file_read import FileRead
from yett.tools.file_search import FileSearch
from yett.tools.file_write import FileWrite
from yett.tools.sandbox_paths import PATH_LIMIT, sandbox_path

sys.path.insert(0, str(Path(__file__).parent))

from tool_calls import done


@pytest.mark.parametrize(
    ("path", "one"),
    [
        ("a", "/workspace/a"),
        ("a/../b", "/workspace/b"),
        ("../etc/passwd", "/etc/passwd"),
        ("/workspace/../etc/passwd", "/etc/passwd"),
        ("/../../x", "/x"),
        ("//x//y/./z/", "/x/y/z"),
        (".", "/workspace"),
        ("/", "/"),
        ("a" * (PATH_LIMIT - 11), "/workspace/" + "a" * (PATH_LIMIT - 11)),
    ],
)
def test_a_path_has_one_form(path, one):
    assert sandbox_path(path) == one


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800", "a" * (PATH_LIMIT - 10), "ü" * 2100])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ExecutionError):
        sandbox_path(path)


@given(st.text(max_size=200))
def test_a_normalised_path_is_absolute_has_no_dots_and_stays_as_it_is(path):
    try:
        one = sandbox_path(path)
    except ExecutionError:
        return
    assert one.startswith("/")
    assert not {"", ".", ".."} & set(one[1:].split("/")) or one == "/"
    assert sandbox_path(one) == one


CALLS = [
    (FileRead, {}),
    (FileWrite, {"content": "x"}),
    (FileEdit, {"edits": [{"old": "a", "new": "b"}]}),
    (FileList, {}),
    (FileSearch, {"pattern": "a"}),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("make", "arguments"), CALLS)
@pytest.mark.parametrize("path", ["/workspace/link", "/workspace/way/f"])
async def test_a_symbolic_link_is_named_and_not_followed(make, arguments, path):
    boxes = MemorySandboxes()
    files = boxes.of("s-1").files
    files.put("/workspace/f", b"a")
    files.put("/workspace/link", b"/workspace/f", kind="symlink")
    files.put("/workspace/way", b"/workspace", kind="symlink")
    with pytest.raises(ExecutionError, match=r"/workspace/(link|way) is a symbolic link.*real path"):
        await done(make(boxes), path=path, **arguments)
    assert files.regular("/workspace/f").data == b"a"
    assert boxes.of("s-1").commands == []


@pytest.mark.anyio
@pytest.mark.parametrize(("make", "arguments"), [call for call in CALLS if call[0] is not FileWrite])
async def test_a_missing_path_is_said_in_the_kernel_s_words(make, arguments):
    with pytest.raises(ExecutionError, match="/workspace/none: No such file or directory"):
        await done(make(MemorySandboxes()), path="/workspace/none", **arguments)


@pytest.mark.anyio
async def test_a_tool_works_in_the_container_of_its_session_and_names_its_principal():
    boxes = MemorySandboxes()
    await done(FileWrite(boxes), path="/workspace/f", content="x", session="s-2")
    await done(FileWrite(boxes), path="/workspace/f", content="x", session="")
    assert [session for session, _ in boxes.leases] == ["s-2", "spiffe://x/agent/r"]
    assert {principal.agent for _, principal in boxes.leases} == {"r"}


def test_the_hints_are_honest():
    hints = {make: make(MemorySandboxes()).definition.annotations for make, _ in CALLS}
    assert [hints[make]["readOnlyHint"] for make in hints] == [True, False, False, True, True]
    assert [hints[make]["destructiveHint"] for make in hints] == [False, True, True, False, False]
    assert {h["openWorldHint"] for h in hints.values()} == {False}
