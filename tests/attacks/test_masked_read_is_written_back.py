# SPDX-License-Identifier: Apache-2.0
"""What an agent reads masked and writes back would destroy what was masked: no tool takes it."""

import pytest

from gate import World, denial_of, text_of
from yett.testing import MemorySandboxes
from yett.tools.file_edit import FileEdit
from yett.tools.file_read import FileRead
from yett.tools.file_write import FileWrite
from yett.tools.toolbox import BuiltinTools, Toolbox

pytestmark = pytest.mark.anyio
AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
PATH = "/workspace/settings"
CONTENT = f"name = one\nkey = {AWS_KEY}\nlast = 3\n"


def gate():
    world, boxes = World(), MemorySandboxes()
    boxes.of("ses-research-1").files.put(PATH, CONTENT.encode())
    world.toolbox = Toolbox((BuiltinTools((FileRead(boxes), FileEdit(boxes), FileWrite(boxes))),))
    world.use(catalog=world.toolbox, execute=world.toolbox)
    world.use(decide=world.policy(({"id": "files", "allow": "file_*", "to": "writer"},)))
    return world, boxes.of("ses-research-1").files


MASKED = "key = [SECRET]"
WRITES = {
    "the whole file": ("file_write", {"content": CONTENT.replace(AWS_KEY, "[SECRET]")}),
    "a new text": ("file_edit", {"edits": [{"old": "name = one", "new": MASKED}]}),
    "a text to replace": ("file_edit", {"edits": [{"old": MASKED, "new": "key = none"}]}),
    "the second of two edits": (
        "file_edit",
        {"edits": [{"old": "one", "new": "two"}, {"old": "last = 3", "new": MASKED}]},
    ),
    "a line that a patch takes away": ("file_edit", {"patch": f"@@ -2 +2 @@\n-{MASKED}\n+key = none\n"}),
    "a line of context": ("file_edit", {"patch": f"@@ -1,2 +1,1 @@\n-name = one\n {MASKED}\n"}),
    "a dry run": ("file_edit", {"edits": [{"old": MASKED, "new": "x"}], "dry_run": True}),
}


@pytest.mark.parametrize("what", WRITES)
async def test_a_mask_marker_is_not_written(what):
    world, files = gate()
    seen = text_of(await world.call("file_read", {"path": PATH}))
    assert MASKED in seen
    name, arguments = WRITES[what]
    reply = await world.call(name, {"path": PATH, **arguments})
    assert denial_of(reply)["rule"].startswith("gate.")
    assert "MASK_MARKER" in text_of(reply)
    assert files.nodes[PATH].data == CONTENT.encode()


async def test_a_part_beside_what_is_masked_is_edited_and_the_diff_is_masked():
    world, files = gate()
    reply = await world.call("file_edit", {"path": PATH, "edits": [{"old": "last = 3", "new": "last = 4"}]})
    assert files.nodes[PATH].data == CONTENT.replace("3", "4").encode()
    assert AWS_KEY not in text_of(reply)
    assert " key = [SECRET]\n-last = 3\n+last = 4" in text_of(reply)


async def test_numbers_before_lines_hide_nothing_from_the_look():
    world, files = gate()
    lines = [f"{n}" for n in range(4110)] + ["4111 1111 1111 1111", "4111111111111111"]
    files.put(PATH, "\n".join(lines).encode())
    reply = await world.call("file_read", {"path": PATH, "start_line": 4109, "numbered": True})
    assert "1111 1111" not in text_of(reply)
    assert text_of(reply).count("[CREDIT_CARD]") == 2
