# SPDX-License-Identifier: Apache-2.0
"""FIFOs and sockets that would hold whoever opens them, and devices that would be the host's."""

import socket

import anyio
import pytest
from sandbox_world import sh

from yett.errors import ExecutionError
from yett.sandbox.beneath import Folder

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_a_fifo_holds_neither_a_file_tool_nor_the_host(project, writable):
    async with writable(limits={"file_deadline": 5.0}) as boxes, boxes.lease("s") as box:
        assert (await box.run(sh("mkfifo pipe"))).exit_code == 0
        with anyio.fail_after(4):
            for call in (
                box.read("/workspace/pipe", offset=0, limit=1),
                box.write("/workspace/pipe/x", b"x"),
            ):
                with pytest.raises(ExecutionError):
                    await call
            with Folder(str(project)) as folder, pytest.raises(OSError, match="regular"):
                folder.read("pipe", 1)


async def test_no_device_comes_into_being(project, writable):
    async with writable() as boxes, boxes.lease("s") as box:
        result = await box.run(sh("mknod zero c 1 5; mknod disk b 254 0; ls"))
    assert result.stderr.count(b"not permitted") == 2
    assert not {"zero", "disk"} & {entry.name for entry in project.iterdir()}


async def test_a_socket_is_no_file(project, writable, monkeypatch):
    monkeypatch.chdir(project)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        async with writable() as boxes, boxes.lease("s") as box:
            with pytest.raises(ExecutionError):
                await box.read("/workspace/s", offset=0, limit=1)
        with Folder(str(project)) as folder, pytest.raises(OSError, match="No such device"):
            folder.read("s", 1)
