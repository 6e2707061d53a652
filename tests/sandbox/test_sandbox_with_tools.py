# SPDX-License-Identifier: Apache-2.0
"""The tools over a real container: what an agent sees."""

import base64

import pytest

from yett.action import Action, Authorized, Decision, Effect, Kind, Principal
from yett.errors import ExecutionError
from yett.tools.file_list import FileList
from yett.tools.file_read import FileRead
from yett.tools.file_write import FileWrite
from yett.tools.outputs import KeptOutputs
from yett.tools.shell_run import ShellRun

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def done(tool, **arguments):
    action = Action(
        id="a-1",
        kind=Kind.TOOL,
        tool=tool.definition,
        arguments=arguments,
        principal=Principal(agent="r", id="i", session="s-1"),
        received_at=0.0,
    )
    decision = Decision(effect=Effect.ALLOW, rule="r", reason="")
    return await tool.run(Authorized(action=action, decision=decision, deadline=60.0))


async def test_an_agent_writes_a_script_runs_it_and_reads_what_it_made(sandboxes_of):
    async with sandboxes_of() as boxes:
        await done(FileWrite(boxes), path="bin/go.sh", content="#!/bin/sh\nprintf '\\0\\1' > made; echo $1\n")
        ran = await done(ShellRun(boxes, KeptOutputs()), command="sh bin/go.sh hello")
        assert ran.content[0]["text"] == "hello"
        (block,) = (await done(FileRead(boxes), path="made")).content
        assert base64.b64decode(block["resource"]["blob"]) == b"\0\1"
        listed = (await done(FileList(boxes), depth=2)).content[0]["text"]
        assert [line.split()[3] for line in listed.splitlines()] == ["bin", "made", "bin/go.sh"]
        with pytest.raises(ExecutionError, match=r"/workspace/none: No such file"):
            await done(FileRead(boxes), path="none")
        assert (await done(FileRead(boxes), path="made")).meta["yett/size"] == 2  # still the same container


async def test_a_timeout_is_an_error_that_says_so(sandboxes_of):
    async with sandboxes_of() as boxes:
        result = await done(ShellRun(boxes, KeptOutputs()), command="echo begun; sleep 60", timeout=0.2)
    assert result.is_error
    assert result.content[0]["text"].startswith("begun\n[timed out after 0.2 s")
    assert result.meta["yett/timed_out"] is True
