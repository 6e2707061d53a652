# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_a_program_gets_the_configured_environment_and_nothing_of_the_gateways(
    sandboxes_of, monkeypatch
):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:made-up@127.0.0.1:1")
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        result = await box.run(sh("/bin/busybox env", env={"MINE": "1"}))
    names = {line.partition(b"=")[0] for line in result.stdout.splitlines()}
    made_by_the_shell = {b"PWD", b"SHLVL", b"OLDPWD"}
    assert names - made_by_the_shell == {b"PATH", b"HOME", b"TMPDIR", b"LANG", b"MINE"}


async def test_the_one_time_secret_is_nowhere_inside(sandboxes_of, entropy, monkeypatch):
    spoken = []
    real = entropy.token
    monkeypatch.setattr(entropy, "token", lambda: spoken.append(real()) or spoken[-1])
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        seen = await box.run(
            sh("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/self/mountinfo 2>/dev/null")
        )
        assert len(spoken) == 1
        assert spoken[0].encode() not in seen.stdout
        assert b"YETT_HELLO" not in seen.stdout


async def test_the_mount_table_names_no_folder_of_the_gateway_but_the_socket(sandboxes_of, run_dir):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        table = (await box.run(sh("cat /proc/self/mountinfo"))).stdout.decode()
    # Where /tmp is a mount of its own, the table names the folder from there on.
    ours = re.findall(rf"\S*/{re.escape(run_dir.name)}\S*", table)
    assert len(ours) == 1
    assert Path(ours[0].removesuffix("//deleted")).name == "s"
