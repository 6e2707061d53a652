# SPDX-License-Identifier: Apache-2.0
"""A set-uid program of the workspace's owner, left for other users of the host."""

import stat

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

ATTEMPTS = """
cp /bin/busybox shell && chmod 6755 shell; chmod u+s shell; chmod g+s shell; chmod 4755 shell
chmod -R u+s .; install -m 4755 /bin/busybox installed; tar cf - shell | tar xpf -
mkdir -p folder && chmod 2777 folder; cp -p shell folder/copy; ls -l
"""


async def test_no_file_of_the_host_gets_a_set_uid_or_set_gid_bit(project, writable):
    async with writable() as boxes, boxes.lease("s") as box:
        result = await box.run(sh(ATTEMPTS))
    assert result.stderr.count(b"not permitted") >= 5
    assert (project / "shell").stat().st_size > 100_000
    for path in project.rglob("*"):
        assert not path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID), path
