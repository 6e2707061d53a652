# SPDX-License-Identifier: Apache-2.0
"""The file tools over a sandbox that is a dictionary; what a real one refuses is in tests/attacks/sandbox."""

import base64
from contextlib import asynccontextmanager

import anyio
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.action import Action, Authorized, Decision, Effect, Kind, Principal
from yett.errors import ExecutionError
from yett.ports import FileEntry
from yett.tools.files import FileList, FileRead, FileWrite
from yett.tools.sandbox_paths import PATH_LIMIT, sandbox_path


class Folder:
    """`ports.Sandboxes` whose one sandbox keeps files in a dictionary."""

    def __init__(self, **files):
        self.files = {f"/workspace/{name}": data for name, data in files.items()}
        self.folders = {}
        self.unreadable = set()

    @asynccontextmanager
    async def lease(self, session):
        assert session == "s-1"
        yield self

    async def read(self, path, *, offset, limit):
        if path not in self.files:
            raise ExecutionError(f"{path}: No such file or directory")
        return self.files[path][offset : offset + limit], len(self.files[path])

    async def write(self, path, data, *, append=False):
        self.files[path] = (self.files.get(path, b"") if append else b"") + data

    async def list(self, path):
        if path in self.unreadable or path not in self.folders:
            raise ExecutionError(f"{path}: Permission denied")
        return tuple(self.folders[path])


def entry(name, kind="file", size=1):
    return FileEntry(name=name, kind=kind, size=size, mode=0o644, modified_at=0.0)


def done(tool, **arguments):
    action = Action(
        id="a-1",
        kind=Kind.TOOL,
        tool=tool.definition,
        arguments=arguments,
        principal=Principal(agent="r", id="i", session="s-1"),
        received_at=0.0,
    )
    decision = Decision(effect=Effect.ALLOW, rule="r", reason="")
    return anyio.run(tool.run, Authorized(action=action, decision=decision, deadline=60.0))


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


def test_a_text_file_is_text():
    result = done(FileRead(Folder(f="grüße\n".encode())), path="f")
    assert result.content == ({"type": "text", "text": "grüße\n"},)
    assert result.meta == {"yett/size": 8, "yett/next_offset": 8}


@pytest.mark.parametrize("data", [b"\0", b"\xff\xfe", b"ab\x80", b"\xc3"])
def test_what_is_no_text_is_a_blob(data):
    (block,) = done(FileRead(Folder(f=data)), path="f").content
    assert block["type"] == "resource"
    assert base64.b64decode(block["resource"]["blob"]) == data
    assert block["resource"]["uri"] == "file:///workspace/f"


@given(
    st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"), max_size=60), st.integers(4, 9)
)
def test_a_text_read_piece_by_piece_is_the_text(text, limit):
    boxes = Folder(f=text.encode())
    tool, offset, got = FileRead(boxes, limit=limit), 0, ""
    while True:
        result = done(tool, path="f", offset=offset)
        assert result.content[0]["type"] == "text"
        got += result.content[0]["text"]
        if len(result.content) == 1:
            break
        assert result.meta["yett/next_offset"] > offset
        offset = result.meta["yett/next_offset"]
    assert got == text


@given(st.binary(max_size=60), st.integers(1, 9), st.integers(0, 70))
def test_reading_any_bytes_anywhere_makes_progress(data, limit, offset):
    result = done(FileRead(Folder(f=data), limit=limit), path="f", offset=offset)
    if offset < len(data):
        assert result.meta["yett/next_offset"] > offset


def test_a_call_reads_no_more_than_the_limit():
    result = done(FileRead(Folder(f=b"x" * 100), limit=10), path="f", limit=99)
    assert result.content[0]["text"] == "x" * 10
    assert result.content[1]["text"] == "[bytes 0 to 10 of 100; go on with offset 10]"


def test_a_missing_file_is_said():
    with pytest.raises(ExecutionError, match="/workspace/none: No such file"):
        done(FileRead(Folder()), path="none")


def test_a_file_is_written_and_added_to():
    boxes = Folder()
    tool = FileWrite(boxes, limit=10)
    assert done(tool, path="d/f", content="ü").content[0]["text"] == "Wrote 2 bytes to /workspace/d/f."
    done(tool, path="d/f", content=base64.b64encode(b"\0\1").decode(), encoding="base64", append=True)
    assert boxes.files == {"/workspace/d/f": "ü".encode() + b"\0\1"}


@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        ("x" * 11, "utf-8", "At most 10 bytes"),
        ("not base64!", "base64", "not valid base64"),
        ("YQ", "base64", "not valid base64"),
    ],
)
def test_content_that_cannot_be_written_is_refused(content, encoding, words):
    boxes = Folder()
    done(FileWrite(boxes, limit=10), path="ok", content="x" * 10)
    with pytest.raises(ExecutionError, match=words):
        done(FileWrite(boxes, limit=10), path="f", content=content, encoding=encoding)
    assert list(boxes.files) == ["/workspace/ok"]


def test_a_folder_is_a_line_for_each_entry_down_to_the_depth():
    boxes = Folder()
    boxes.folders = {
        "/workspace": [entry("d", "directory", 60), entry("f", size=12)],
        "/workspace/d": [
            entry("e", "directory"),
            entry("two\nlines"),
            entry("\udcff"),
            entry("l", "symlink"),
        ],
        "/workspace/d/e": [entry("deep")],
    }
    assert done(FileList(boxes)).content[0]["text"].splitlines() == [
        "directory 0644         60 d",
        "file      0644         12 f",
    ]
    two = done(FileList(boxes), path=".", depth=2).content[0]["text"].splitlines()
    assert [line.split(maxsplit=3)[3] for line in two] == [
        "d",
        "f",
        "d/e",
        '"d/two\\nlines"',
        '"d/\\udcff"',
        "d/l",
    ]
    assert "d/e/deep" in done(FileList(boxes), depth=3).content[0]["text"]
    boxes.unreadable = {"/workspace/d"}
    assert "? d: not readable" in done(FileList(boxes), depth=2).content[0]["text"]


def test_the_top_folder_must_be_readable_and_may_be_empty():
    boxes = Folder()
    with pytest.raises(ExecutionError, match="Permission denied"):
        done(FileList(boxes), path="/root")
    boxes.folders = {"/": []}
    assert done(FileList(boxes), path="/").content[0]["text"] == "[empty]"


def test_a_listing_is_cut_at_the_limit():
    boxes = Folder()
    boxes.folders = {"/workspace": [entry(f"f{i}") for i in range(4)]}
    assert "cut" not in done(FileList(boxes, limit=4)).content[0]["text"]
    lines = done(FileList(boxes, limit=3)).content[0]["text"].splitlines()
    assert (len(lines), lines[-1]) == (4, "[cut after 3 entries]")


@pytest.mark.parametrize(
    ("make", "good", "bad"),
    [
        (
            FileRead,
            {"path": "/f", "offset": 0, "limit": 1},
            [{}, {"path": "f"}, {"path": "/f", "offset": -1}],
        ),
        (
            FileRead,
            {"path": "/f"},
            [{"path": "/f", "limit": 0}, {"path": "/f", "limit": 262145}, {"path": "/f", "x": 1}],
        ),
        (
            FileWrite,
            {"path": "/f", "content": ""},
            [{"path": "/f"}, {"path": "/f", "content": "", "encoding": "rot13"}],
        ),
        (
            FileList,
            {"path": "/f"},
            [{}, {"path": "/f", "depth": 6}, {"path": "f"}, {"path": "/f", "deep": 1}],
        ),
    ],
)
def test_the_schema_refuses_what_the_tool_does_not_take(make, good, bad):
    schema = make(Folder()).definition.input_schema
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(good, schema)
    for arguments in bad:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(arguments, schema)


def test_the_hints_are_honest():
    hints = {make: make(Folder()).definition.annotations for make in (FileRead, FileWrite, FileList)}
    assert [hints[make]["readOnlyHint"] for make in hints] == [True, False, True]
    assert [hints[make]["destructiveHint"] for make in hints] == [False, True, False]
    assert {h["openWorldHint"] for h in hints.values()} == {False}
