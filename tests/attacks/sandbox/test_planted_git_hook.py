# SPDX-License-Identifier: Apache-2.0
"""Code left where a tool of the developer runs it: a hook of git, a task of an editor."""

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_what_the_host_obeys_can_not_be_changed_moved_or_replaced(project, writable):
    hook = "#!/bin/sh\\ntouch /tmp/owned"
    async with writable() as boxes, boxes.lease("s") as box:
        result = await box.run(
            sh(
                f"printf '{hook}' > .git/hooks/post-checkout; echo x >> .git/config; echo x > .envrc;"
                "rm -rf .git; rm -f .envrc; mv .git g; mv .envrc e; ln -sf x .envrc; rmdir .git;"
                "mkdir new && mv -f new .git; cd .. && mv workspace w; ls -a workspace"
            )
        )
        assert b".git" in result.stdout
    assert (project / ".git" / "config").read_text() == "[core]\n"
    assert list((project / ".git" / "hooks").iterdir()) == []
    assert (project / ".envrc").read_text() == "export A=1\n"


async def test_what_was_not_there_to_be_protected_is_told_of(project, writable):
    async with writable() as boxes:
        async with boxes.lease("s") as box:
            quiet = await box.run(sh("echo x > file"))
            planted = await box.run(sh("mkdir .vscode && echo '{}' > .vscode/tasks.json"))
            again = await box.run(sh("true"))
        assert b"tools of the host" not in quiet.stderr + again.stderr
        assert b".vscode" in planted.stderr
        async with boxes.lease("other") as box:  # and the next container can't change it any more
            assert (await box.run(sh("echo x > .vscode/tasks.json"))).exit_code != 0


async def test_a_repository_below_that_was_moved_aside_is_told_of(project, writable):
    (project / "sub" / ".git").mkdir(parents=True)
    async with writable(interval=0.001) as boxes:
        async with boxes.lease("s") as box:
            await box.run(sh("mv sub old; mkdir -p sub/.git/hooks; echo x > sub/.git/hooks/post-merge"))
        await boxes.quota.look()
        async with boxes.lease("s") as box:
            told = await box.run(sh("true"))
    assert b"sub/.git" in told.stderr
