# SPDX-License-Identifier: Apache-2.0
"""file_edit in memory: all or nothing, and what its diff shows."""

import sys
from pathlib import Path

import jsonschema
import pytest

from yett.errors import ExecutionError
from yett.testing import MemorySandboxes
from yett.tools.file_edit import DIFF_LIMIT, FileEdit

sys.path.insert(0, str(Path(__file__).parent))

from tool_calls import authorized, done, text_of

pytestmark = pytest.mark.anyio
FILE = "/workspace/f"


def having(data, mode=0o644):
    boxes = MemorySandboxes()
    boxes.of("s-1").files.put(FILE, data, mode=mode)
    return boxes


def node(boxes):
    return boxes.of("s-1").files.nodes[FILE]


async def test_edits_are_made_and_shown_as_a_diff():
    boxes = having(b"one\ntwo\nthree\n", mode=0o755)
    edits = [{"old": "one", "new": "1"}, {"old": "1\ntwo", "new": "12"}]
    result = await done(FileEdit(boxes), path=FILE, edits=edits)
    assert (node(boxes).data, node(boxes).mode) == (b"12\nthree\n", 0o755)
    head = f"Edited {FILE}.\n--- {FILE}\n+++ {FILE}\n"
    assert text_of(result) == f"{head}@@ -1,3 +1,2 @@\n-one\n-two\n+12\n three\n"


async def test_a_patch_is_applied_and_a_dry_run_writes_nothing():
    boxes = having(b"one\r\ntwo\r\n")
    patch = "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    shown = text_of(await done(FileEdit(boxes), path=FILE, patch=patch, dry_run=True))
    assert shown.startswith(f"Would edit {FILE}.\n--- ")
    assert node(boxes).data == b"one\r\ntwo\r\n"
    await done(FileEdit(boxes), path=FILE, patch=patch)
    assert node(boxes).data == b"one\r\n2\r\n"


async def test_an_edit_that_does_not_fit_leaves_the_file_as_it_was():
    boxes = having(b"one\n")
    with pytest.raises(ExecutionError, match="Edit 2"):
        await done(FileEdit(boxes), path=FILE, edits=[{"old": "one", "new": "1"}, {"old": "one", "new": "2"}])
    assert node(boxes).data == b"one\n"


@pytest.mark.parametrize(
    ("data", "arguments", "words"),
    [
        (b"one", {}, "either `edits` or `patch`"),
        (b"one", {"edits": [{"old": "o", "new": "O"}], "patch": "@@"}, "and not both"),
        (b"\xff", {"edits": [{"old": "o", "new": "O"}]}, "not UTF-8"),
        (b"x" * 101, {"edits": [{"old": "o", "new": "O"}]}, "larger than 100 bytes"),
        (b"one", {"edits": [{"old": "one", "new": "é" * 60}]}, "become larger than 100 bytes"),
    ],
)
async def test_what_can_not_be_edited_is_refused(data, arguments, words):
    boxes = having(data)
    with pytest.raises(ExecutionError, match=words):
        await done(FileEdit(boxes, limit=100), path=FILE, **arguments)
    assert node(boxes).data == data


async def test_a_file_of_exactly_the_limit_is_edited():
    boxes = having(b"a" + b"x" * 99)
    await done(FileEdit(boxes, limit=100), path=FILE, edits=[{"old": "a", "new": "b"}])
    assert node(boxes).data == b"b" + b"x" * 99


async def test_the_diff_is_made_of_the_screened_texts():
    """A hunk would show the middle of a secret without the line that tells it is one."""
    boxes = having(b"BEGIN\nsecret 1\nsecret 2\nsecret 3\nsecret 4\nEND\nname\n")

    async def screen(text):
        head, _, rest = text.partition("BEGIN\n")
        return head + "[MASKED]\n" + rest.partition("END\n")[2]

    call = authorized(
        FileEdit(boxes), {"path": FILE, "edits": [{"old": "name", "new": "other"}]}, screen=screen
    )
    shown = text_of(await FileEdit(boxes).run(call))
    assert "secret" not in shown
    assert "+other" in shown


async def test_without_a_screen_the_change_is_not_shown():
    boxes = having(b"one\n")
    call = authorized(FileEdit(boxes), {"path": FILE, "edits": [{"old": "one", "new": "1"}]}, screen=None)
    assert text_of(await FileEdit(boxes).run(call)) == f"Edited {FILE}.\n[the change is not shown]"


async def test_a_long_diff_is_cut_at_a_line_and_says_so():
    boxes = having(b"line\n" * 20_000)
    result = await done(
        FileEdit(boxes), path=FILE, edits=[{"old": "line", "new": "row", "replace_all": True}]
    )
    assert len(text_of(result)) < DIFF_LIMIT + 200
    assert "more characters]" in text_of(result)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"path": "f"},
        {"path": "/f", "edits": []},
        {"path": "/f", "edits": [{"old": "", "new": "x"}]},
        {"path": "/f", "edits": [{"old": "x"}]},
        {"path": "/f", "edits": [{"old": "x", "new": "y", "count": 1}]},
        {"path": "/f", "edits": [{"old": "x", "new": "y"}] * 101},
        {"path": "/f", "patch": ""},
    ],
)
def test_the_schema_refuses_what_the_tool_does_not_take(arguments):
    schema = FileEdit(MemorySandboxes()).definition.input_schema
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"path": "/f", "edits": [{"old": "x", "new": ""}] * 100}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(arguments, schema)
