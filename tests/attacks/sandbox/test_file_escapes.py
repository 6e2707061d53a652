# SPDX-License-Identifier: Apache-2.0
import contextlib
import secrets

import pytest
from sandbox_world import sh

from yett.errors import ExecutionError

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.fixture
def host_secret(tmp_path):
    file = tmp_path / "secret"
    file.write_text(secrets.token_hex(16))
    return file


async def test_no_symbolic_link_leads_to_a_file_of_the_host(sandboxes_of, host_secret):
    up = "../" * 20
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        links = {
            "absolute": str(host_secret),
            "relative": f"{up}{host_secret}",
            "root": f"/proc/1/root{host_secret}",
            "cwd": f"/proc/self/cwd/{up}{host_secret}",
        }
        for name, target in links.items():
            await box.run(sh(f"ln -s '{target}' /workspace/{name}"))
        paths = [f"/workspace/{name}" for name in links]
        paths += [target if target.startswith("/") else f"/workspace/{target}" for target in links.values()]
        for path in paths:
            with pytest.raises(ExecutionError, match=r"No such file|Permission denied|symbolic link"):
                await box.read(path, offset=0, limit=100)
        for path in paths:
            with contextlib.suppress(ExecutionError):  # or it lands in the container's own /tmp
                await box.write(path, b"overwritten")
    assert len(host_secret.read_text()) == 32


async def test_a_link_in_the_place_of_a_folder_does_not_move_a_write_out(sandboxes_of, tmp_path):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.run(sh(f"ln -s {tmp_path} /workspace/out"))
        with pytest.raises(ExecutionError):
            await box.write("/workspace/out/planted", b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/workspace/a\0b", "\0", "relative/path", "", "/" + "x" * 5000])
async def test_a_path_that_is_not_one_is_refused_before_it_is_sent(sandboxes_of, path):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        for call in (box.read(path, offset=0, limit=1), box.write(path, b""), box.list(path)):
            with pytest.raises(ExecutionError):
                await call
        assert (await box.run(sh("ls"))).stdout == b""


async def test_a_fifo_does_not_block_a_read_or_a_write(sandboxes_of):
    async with sandboxes_of(file_deadline=3.0) as boxes, boxes.lease("s") as box:
        await box.run(sh("mkfifo /workspace/p"))
        with pytest.raises(ExecutionError, match="Invalid argument"):
            await box.read("/workspace/p", offset=0, limit=1)
        with pytest.raises(ExecutionError, match="Invalid argument"):
            await box.write("/workspace/p", b"x")


async def test_the_runners_own_memory_is_no_file(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        await box.run(sh("ln -s /proc/self/mem m; ln -s /proc/thread-self/environ e"))
        for path in ("/workspace/m", "/proc/1/mem", "/proc/self/fd/0"):
            with pytest.raises(ExecutionError):
                await box.write(path, b"\x90" * 64)
        for path in ("/workspace/e", "/proc/1/environ", "/sys/kernel/uevent_seqnum"):
            with pytest.raises(ExecutionError):
                await box.read(path, offset=0, limit=1000)
        assert (await box.run(sh("echo alive"))).stdout == b"alive\n"
