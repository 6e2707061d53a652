# SPDX-License-Identifier: Apache-2.0
"""A second name in the workspace for a file that lies elsewhere."""

import pytest
from sandbox_world import sh

from yett.sandbox.beneath import Folder

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_nothing_outside_gets_a_name_in_the_workspace(project, writable):
    async with writable() as boxes, boxes.lease("s") as box:
        result = await box.run(
            sh("for f in /etc/passwd /yett-runner /run/yett.sock .envrc .git/config; do ln $f hard; done")
        )
    assert result.stderr.count(b"ink") >= 5  # cross-device, every one of them
    assert not (project / "hard").exists()


async def test_the_host_side_reads_no_file_of_two_names(project, writable):
    async with writable() as boxes, boxes.lease("s") as box:
        await box.run(sh("ln notes.txt again"))
    with Folder(str(project)) as folder, pytest.raises(OSError, match="one name"):
        folder.read("again", 100)
