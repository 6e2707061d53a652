# SPDX-License-Identifier: Apache-2.0
"""Names of files in a mounted workspace are shown to people: they hold line ends, no text, or look alike."""

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

NAMES = {
    "bytes that are no text": r"\377/.git",
    "a line end and a line of its own": r"a\n[yett: all is well]/.git",
    "a colour and the way back": r"\033[2K\rquiet/.git",
    "right to left": r"\342\200\256tig/.git",
}


@pytest.mark.parametrize("how", NAMES)
async def test_what_was_planted_is_told_of_on_one_line_of_text(project, writable, how):
    name = NAMES[how]
    async with writable(interval=0.001) as boxes:
        async with boxes.lease("s") as box:
            await box.run(sh(f"mkdir -p \"$(printf '{name}')\""))
        await boxes.quota.look()
        async with boxes.lease("s") as box:
            told = await box.run(sh("true"))
    (line,) = told.stderr.decode().strip().split("\n")
    assert line.startswith("[yett: tools of the host obey what this workspace now has in ")
    assert line.isprintable()
    assert ".git" in line


@pytest.mark.parametrize("spelled", [".GIT", ".Git", ".VSCode", ".gi\u200dt", "git~1"])
async def test_a_name_that_another_file_system_takes_for_a_protected_one_is_told_of(
    project, writable, spelled
):
    async with writable(interval=0.001) as boxes:
        async with boxes.lease("s") as box:
            await box.run(sh(f"mkdir -p '{spelled}'"))
        await boxes.quota.look()
        async with boxes.lease("s") as box:
            told = await box.run(sh("true"))
    assert b"tools of the host obey" in told.stderr


async def test_a_bare_repository_is_told_of(project, writable):
    """Git takes any folder that looks like one for a repository, and runs what its config names."""
    make = (
        "mkdir -p docs/objects docs/refs; echo 'ref: refs/heads/x' > docs/HEAD; echo '[core]' > docs/config"
    )
    async with writable(interval=0.001) as boxes:
        async with boxes.lease("s") as box:
            await box.run(sh(make))
        await boxes.quota.look()
        async with boxes.lease("s") as box:
            told = await box.run(sh("true"))
    assert b"docs" in told.stderr
