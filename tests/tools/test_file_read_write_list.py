# SPDX-License-Identifier: Apache-2.0
"""Reading, writing and listing in memory; what a real container refuses is in tests/attacks/sandbox."""

import base64
import sys
from pathlib import Path

import anyio
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.errors import ExecutionError
from yett.ports import FileEntry
from yett.testing import MemorySandboxes
from yett.tools.file_list import FileList
from yett.tools.file_read import IMAGE_LIMIT, FileRead
from yett.tools.file_write import FileWrite

sys.path.insert(0, str(Path(__file__).parent))

import tool_calls

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def having(**files):
    boxes = MemorySandboxes()
    for name, data in files.items():
        boxes.of("s-1").files.put(f"/workspace/{name}", data)
    return boxes


def files_of(boxes):
    nodes = boxes.of("s-1").files.nodes
    return {path: node.data for path, node in nodes.items() if node.kind == "file"}


def done(tool, **arguments):
    return anyio.run(lambda: tool_calls.done(tool, **arguments))


def test_a_text_file_is_text():
    result = done(FileRead(having(f="grüße\n".encode())), path="f")
    assert result.content == ({"type": "text", "text": "grüße\n"},)
    assert result.meta == {"yett/size": 8, "yett/next_offset": 8}


@pytest.mark.parametrize("data", [b"\0", b"\xff\xfe", b"ab\x80", b"\xc3"])
def test_what_is_no_text_is_a_blob(data):
    (block,) = done(FileRead(having(f=data)), path="f").content
    assert block["type"] == "resource"
    assert base64.b64decode(block["resource"]["blob"]) == data
    assert block["resource"]["uri"] == "file:///workspace/f"


@given(
    st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"), max_size=60), st.integers(4, 9)
)
def test_a_text_read_piece_by_piece_is_the_text(text, limit):
    boxes = having(f=text.encode())
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


def test_a_piece_ends_with_a_whole_line_where_it_holds_one():
    result = done(FileRead(having(f=b"one\ntwo\nthree\n"), limit=10), path="f")
    assert [block["text"] for block in result.content] == [
        "one\ntwo\n",
        "[bytes 0 to 8 of 14; go on with offset 8]",
    ]


@given(st.binary(max_size=60), st.integers(1, 9), st.integers(0, 70))
def test_reading_any_bytes_anywhere_makes_progress(data, limit, offset):
    result = done(FileRead(having(f=data), limit=limit), path="f", offset=offset)
    if offset < len(data):
        assert result.meta["yett/next_offset"] > offset


def test_a_call_reads_no_more_than_the_limit():
    result = done(FileRead(having(f=b"x" * 100), limit=10), path="f", limit=99)
    assert result.content[0]["text"] == "x" * 10
    assert result.content[1]["text"] == "[bytes 0 to 10 of 100; go on with offset 10]"


def test_lines_are_read_by_number():
    boxes = having(f=b"one\ntwo\r\nthree\nfour")
    result = done(FileRead(boxes), path="f", start_line=2, line_count=2, numbered=True)
    assert [block["text"] for block in result.content] == [
        "     2|two\r\n     3|three",
        "[lines 2 to 3 of 4; go on with start_line 4]",
    ]
    assert result.meta == {"yett/size": 19, "yett/next_line": 4}
    assert [block["text"] for block in done(FileRead(boxes), path="f", start_line=4).content] == ["four"]
    assert done(FileRead(boxes), path="f", numbered=True).content[0]["text"].endswith("     4|four")


def test_lines_stop_at_the_limit_and_a_longer_one_is_cut():
    tool = FileRead(having(f=b"one\ntwo\n" + b"x" * 50 + b"\n"), limit=8)
    first = done(tool, path="f", start_line=1)
    assert [b["text"] for b in first.content] == [
        "one\ntwo",
        "[lines 1 to 2 of 3; go on with start_line 3]",
    ]
    assert done(tool, path="f", start_line=3).content[0]["text"] == "xxxxxxxx [the line is longer]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"start_line": 3}, "has 2 lines; there is no line 3"),
        ({"start_line": 1, "offset": 0}, "and not both"),
        ({"numbered": True, "limit": 5}, "and not both"),
    ],
)
def test_lines_that_are_not_there_or_are_asked_for_in_two_ways_are_refused(arguments, words):
    with pytest.raises(ExecutionError, match=words):
        done(FileRead(having(f=b"one\ntwo\n")), path="f", **arguments)


def test_lines_of_what_is_no_text_are_refused():
    with pytest.raises(ExecutionError, match="is not text"):
        done(FileRead(having(f=PNG)), path="f", start_line=1)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 9, "image/jpeg"),
        (b"GIF89a" + b"\0\xff", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 \xff", "image/webp"),
    ],
)
def test_a_picture_is_an_image_by_its_first_bytes_and_not_by_its_name(data, kind):
    (block,) = done(FileRead(having(f=data)), path="f").content
    assert (block["type"], block["mimeType"]) == ("image", kind)
    assert base64.b64decode(block["data"]) == data
    assert done(FileRead(having(f=b"no picture\0")), path="f").content[0]["type"] == "resource"


def test_a_picture_larger_than_one_read_is_whole_and_one_over_the_limit_comes_in_pieces():
    whole = PNG + b"x" * (IMAGE_LIMIT - len(PNG))
    (block,) = done(FileRead(having(f=whole)), path="f").content
    assert base64.b64decode(block["data"]) == whole
    first = done(FileRead(having(f=whole + b"x")), path="f")
    assert first.content[0]["type"] == "resource"
    assert first.meta["yett/next_offset"] == 256 * 1024


def test_a_file_is_written_and_added_to():
    boxes = MemorySandboxes()
    tool = FileWrite(boxes, limit=10)
    assert done(tool, path="d/f", content="ü").content[0]["text"] == "Wrote 2 bytes to /workspace/d/f."
    done(tool, path="d/f", content=base64.b64encode(b"\0\1").decode(), encoding="base64", append=True)
    assert files_of(boxes) == {"/workspace/d/f": "ü".encode() + b"\0\1"}


@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        ("x" * 11, "utf-8", "At most 10 bytes"),
        ("not base64!", "base64", "not valid base64"),
        ("YQ", "base64", "not valid base64"),
    ],
)
def test_content_that_cannot_be_written_is_refused(content, encoding, words):
    boxes = MemorySandboxes()
    done(FileWrite(boxes, limit=10), path="ok", content="x" * 10)
    with pytest.raises(ExecutionError, match=words):
        done(FileWrite(boxes, limit=10), path="f", content=content, encoding=encoding)
    assert list(files_of(boxes)) == ["/workspace/ok"]


def tree():
    boxes = MemorySandboxes()
    files = boxes.of("s-1").files
    files.put("/workspace/f", b"x" * 12)
    files.put("/workspace/d/e/deep", b"x")
    files.put("/workspace/d/two\nlines", b"x")
    files.put("/workspace/d/l", b"/etc/passwd", kind="symlink")
    return boxes


def test_a_folder_is_a_line_for_each_entry_down_to_the_depth():
    boxes = tree()
    assert done(FileList(boxes)).content[0]["text"].splitlines() == [
        "directory 0755          0 d",
        "file      0644         12 f",
    ]
    two = done(FileList(boxes), path=".", depth=2).content[0]["text"].splitlines()
    assert [line.split(maxsplit=3)[3] for line in two] == ["d", "f", "d/e", "d/l", '"d/two\\nlines"']
    assert "d/e/deep" in done(FileList(boxes), depth=3).content[0]["text"]


def test_a_name_that_is_not_unicode_is_shown_on_one_line_and_an_unreadable_folder_is_said(monkeypatch):
    boxes = tree()
    box = boxes.of("s-1")
    listed = box.list

    async def strange(path):
        if path == "/workspace/d":
            raise ExecutionError("/workspace/d: Permission denied")
        odd = FileEntry(name="\udcff", kind="file", size=1, mode=0o644, modified_at=0.0)
        return (*await listed(path), odd)

    monkeypatch.setattr(box, "list", strange)
    text = done(FileList(boxes), depth=2).content[0]["text"]
    assert '"\\udcff"' in text
    assert "? d: not readable" in text


def test_the_top_folder_may_be_empty():
    assert done(FileList(MemorySandboxes()), path="/tmp").content[0]["text"] == "[empty]"


def test_a_listing_is_cut_at_the_limit():
    boxes = having(a=b"", b=b"", c=b"", d=b"")
    assert "cut" not in done(FileList(boxes, limit=4)).content[0]["text"]
    lines = done(FileList(boxes, limit=3)).content[0]["text"].splitlines()
    assert (len(lines), lines[-1]) == (4, "[cut after 3 entries]")


@pytest.mark.parametrize(
    ("make", "good", "bad"),
    [
        (
            FileRead,
            {"path": "/f", "offset": 0, "limit": 1},
            [{}, {"path": "f"}, {"path": "/f", "offset": -1}, {"path": "/f", "limit": 0}],
        ),
        (
            FileRead,
            {"path": "/f", "start_line": 1, "line_count": 100_000, "numbered": True},
            [
                {"path": "/f", "limit": 262145},
                {"path": "/f", "x": 1},
                {"path": "/f", "start_line": 0},
                {"path": "/f", "line_count": 0},
                {"path": "/f", "line_count": 100_001},
            ],
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
    schema = make(MemorySandboxes()).definition.input_schema
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(good, schema)
    for arguments in bad:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(arguments, schema)
