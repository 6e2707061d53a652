# SPDX-License-Identifier: Apache-2.0
"""The tools over a real container: what an agent sees."""

import base64
import sys
from pathlib import Path

import pytest

from yett.errors import ExecutionError
from yett.tools.file_edit import FileEdit
from yett.tools.file_list import FileList
from yett.tools.file_read import FileRead
from yett.tools.file_search import FileSearch
from yett.tools.file_write import FileWrite
from yett.tools.outputs import KeptOutputs
from yett.tools.settings import ShellLimits
from yett.tools.shell_programs import ShellKill, ShellWait
from yett.tools.shell_run import ShellRun

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from tool_calls import authorized, done

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


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


async def test_an_edit_keeps_the_mode_and_a_link_is_named_and_not_followed(sandboxes_of):
    async with sandboxes_of() as boxes:
        run = ShellRun(boxes, KeptOutputs())
        await done(
            run,
            command="printf '#!/bin/sh\\necho one\\n' > go; chmod 755 go; ln -s go way; mkdir d; ln -s d w",
        )
        await done(FileEdit(boxes), path="/workspace/go", edits=[{"old": "one", "new": "two"}])
        assert (await done(run, argv=["./go"])).structured["stdout"] == "two\n"
        for tool, more in (
            (FileRead(boxes), {}),
            (FileWrite(boxes), {"content": "x"}),
            (FileEdit(boxes), {"edits": [{"old": "two", "new": "x"}]}),
            (FileSearch(boxes), {"pattern": "two"}),
        ):
            for path in ("/workspace/way", "/workspace/w/f"):
                with pytest.raises(ExecutionError, match="is a symbolic link"):
                    await done(tool, path=path, **more)
        assert (await done(run, argv=["./go"])).structured["stdout"] == "two\n"


async def test_an_image_without_ripgrep_says_which_one_has_it(sandboxes_of):
    async with sandboxes_of(environment={"PATH": "/nowhere"}) as boxes:
        with pytest.raises(ExecutionError, match="no ripgrep"):
            await done(FileSearch(boxes), path="/workspace", pattern="x")


async def test_a_search_finds_what_is_there_and_leaves_out_what_is_ignored(sandboxes_of):
    async with sandboxes_of() as boxes:
        async with boxes.lease("s-1") as box:
            await box.write("/workspace/a/one.txt", b"nothing\na needle here\n")
            await box.write("/workspace/a/.hidden", b"a needle there\n")
            await box.write("/workspace/bytes", b"\0\1needle\0")
        found = await done(FileSearch(boxes), path="/workspace", pattern="need.e")
        text = "\n".join(block["text"] for block in found.content)
        assert "/workspace/a/one.txt:2: a needle here" in text
        assert "hidden" not in text
        everything = await done(FileSearch(boxes), path="/workspace", pattern="need.e", hidden=True)
        assert "/workspace/a/.hidden:1: a needle there" in everything.content[0]["text"]
        for smuggled in ("--pre=/bin/sh", "-f/etc/passwd", "--hostname-bin=/bin/sh"):
            nothing = await done(FileSearch(boxes), path="/workspace", pattern=smuggled)
            assert "needle" not in nothing.content[0]["text"]


async def test_a_background_program_outlives_its_call_and_is_waited_for_or_killed(sandboxes_of):
    async with sandboxes_of() as boxes:
        outputs, limits = KeptOutputs(), ShellLimits()
        run, wait, kill = (make(boxes, outputs, limits) for make in (ShellRun, ShellWait, ShellKill))
        started = await done(
            run, command="echo up; while [ ! -e go ]; do sleep 0.05; done; exit 3", background=True
        )
        number = started.structured["background"]
        assert (await done(wait, program=number, timeout=0)).structured["running"] is True
        await done(run, command="touch go")
        ended = await done(wait, program=number, timeout=20)
        assert ended.structured["exit_code"] == 3
        assert ended.structured["stdout"] == "up\n"
        other = (await done(run, command="sleep 100", background=True)).structured["background"]
        killed = await done(kill, program=other)
        assert killed.structured["sandbox"]["killed"] is True
        assert (await done(run, command="ps | grep -c '[s]leep 100'; true")).structured["stdout"] == "0\n"
        with pytest.raises(ExecutionError):
            await done(wait, program=99, timeout=0)


async def test_output_is_handed_on_while_a_program_runs(sandboxes_of):
    heard = []

    async def on_output(stream, data):
        heard.append((stream, data))

    async with sandboxes_of() as boxes:
        tool = ShellRun(boxes, KeptOutputs())
        call = authorized(tool, {"command": "echo out; echo err >&2"}, on_output=on_output)
        await tool.run(call)
    assert sorted(heard) == [("stderr", b"err\n"), ("stdout", b"out\n")]
