# SPDX-License-Identifier: Apache-2.0
"""Symbolic links that a program leaves in a folder of the host, for the host to follow."""

import contextlib

import pytest
from sandbox_world import sh

from yett.errors import ExecutionError, SandboxUnavailable
from yett.sandbox.beneath import Folder

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_no_link_leads_the_host_or_a_file_tool_out_of_the_workspace(project, writable):
    secret = project.parent / "secret"
    links = {
        "absolute": str(secret),
        "relative": "../secret",
        "folder": "../beside",
        "magic": f"/proc/self/root{secret}",
        "dots": "notes.txt/../../secret",
    }
    async with writable() as boxes, boxes.lease("s") as box:
        for name, target in links.items():
            assert (await box.run(sh(f"ln -s '{target}' {name}"))).exit_code == 0
        for path in (*links, "folder/secret"):
            with contextlib.suppress(ExecutionError):
                data, _ = await box.read(f"/workspace/{path}", offset=0, limit=100)
                assert b"HOSTSECRET" not in data
            with contextlib.suppress(ExecutionError):
                await box.write(f"/workspace/{path}", b"overwritten")
            with Folder(str(project)) as folder, pytest.raises(OSError, match=r"."):
                folder.read(path, 100)
    assert secret.read_text() == "HOSTSECRET"
    assert (project.parent / "beside" / "secret").read_text() == "HOSTSECRET"


async def test_a_link_in_a_protected_place_gives_no_container_a_mount_of_what_it_points_to(project, writable):
    async with writable() as boxes:
        async with boxes.lease("one") as box:
            await box.run(sh(f"ln -s {project.parent} .vscode"))
        with pytest.raises(SandboxUnavailable, match=r"\.vscode in the workspace is a symbolic link"):
            async with boxes.lease("two"):
                pass
