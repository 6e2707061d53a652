# SPDX-License-Identifier: Apache-2.0
"""A secret that lies across a cut, or is asked for in pieces, is masked as if nothing had been cut."""

import json

import pytest

from gate import World, text_of
from yett.testing import MemorySandboxes
from yett.tools.file_edit import FileEdit
from yett.tools.outputs import KeptOutputs
from yett.tools.settings import ShellLimits
from yett.tools.shell_output import ShellOutput
from yett.tools.shell_run import ShellRun
from yett.tools.toolbox import BuiltinTools, Toolbox

pytestmark = pytest.mark.anyio
AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"
BODY = [f"MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj{n:04d}AgEAAoIBAQC7" for n in range(60)]
PEM = "\n".join(["-----BEGIN PRIVATE KEY-----", *BODY, "-----END PRIVATE KEY-----\n"])


def gate(output=""):
    async def leak(running):
        await running.out(output.encode())
        return 0

    world, boxes = World(), MemorySandboxes({"leak": leak})
    outputs, limits = KeptOutputs(), ShellLimits(shown=1024)
    tools = (ShellRun(boxes, outputs, limits), ShellOutput(outputs, limits), FileEdit(boxes))
    world.toolbox = Toolbox((BuiltinTools(tools),))
    world.use(catalog=world.toolbox, execute=world.toolbox)
    world.use(decide=world.policy(({"id": "all", "allow": ["shell_*", "file_edit"], "to": "writer"},)))
    return world, boxes


def whole(reply):
    return json.dumps([*reply.result.content, reply.result.structured, reply.result.meta])


@pytest.mark.parametrize("before", range(480, 520, 3))
async def test_the_cut_between_head_and_tail_shows_no_half_of_a_key(before):
    world, _ = gate("x" * before + " " + AWS_KEY + " " + "y" * 3000)
    reply = await world.call("shell_run", {"command": "leak"})
    assert "bytes of stdout are left out" in text_of(reply)
    assert "AKIA" not in whole(reply)
    assert "EXAMPLE" not in whole(reply)


@pytest.mark.parametrize("around", [("", "z\n" * 100), ("z\n" * 100, ""), ("z\n" * 300, "z\n" * 300)])
async def test_a_private_key_across_the_cut_and_in_any_piece_is_masked(around):
    world, _ = gate(around[0] + PEM + around[1] + "end\n" * 400)
    reply = await world.call("shell_run", {"command": "leak"})
    assert "MIIEvQ" not in whole(reply)
    output = reply.result.structured["output"]
    for offset in range(0, 1200, 37):
        piece = await world.call("shell_output", {"id": output, "offset": offset, "limit": 64})
        assert "MIIEvQ" not in whole(piece)
        assert "QEFAASC" not in whole(piece)


async def test_a_hunk_in_the_middle_of_a_private_key_shows_none_of_it():
    world, boxes = gate()
    boxes.of("ses-research-1").files.put("/workspace/k.pem", PEM.encode())
    edits = [{"old": "AgEAAoIBAQC7", "new": "AgEAAoIBAQC8", "replace_all": True}]
    reply = await world.call("file_edit", {"path": "/workspace/k.pem", "edits": edits, "dry_run": True})
    assert not reply.result.is_error
    assert "MIIEvQ" not in whole(reply)


async def test_the_output_of_one_agent_is_not_there_for_another_one():
    world, _ = gate("line\n" * 1000)
    mine = await world.call("shell_run", {"command": "leak"})
    asked = {"id": mine.result.structured["output"]}
    assert "line" in text_of(await world.call("shell_output", asked))
    theirs = await world.call("shell_output", asked, agent="research-2")
    assert theirs.result.is_error
    assert "line" not in whole(theirs)
