# SPDX-License-Identifier: Apache-2.0
"""A program that fills the disk of the host through a mounted workspace."""

import contextlib

import pytest
from sandbox_world import marker, on_host, sh, until

from yett.errors import ExecutionError

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

MIB = 1 << 20


def held(folder):
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


async def test_it_is_killed_soon_after_its_quota(project, writable):
    fill = "i=0; while :; do head -c 1000000 /dev/zero > f$i; i=$((i+1)); sleep 0.01; done"
    async with writable(quota=8 * MIB, interval=0.05) as boxes, boxes.lease("s") as box:
        with pytest.raises(ExecutionError, match="more than its quota of 8 MiB"):
            await box.run(sh(fill))
    assert held(project) < 64 * MIB


async def test_many_small_files_are_too_much_as_well(writable):
    fill = "i=0; while :; do : > f$i; i=$((i+1)); done"
    async with writable(files=300, interval=0.05) as boxes, boxes.lease("s") as box:
        with pytest.raises(ExecutionError, match="more than 300 files"):
            await box.run(sh(fill))


async def test_a_file_with_holes_is_limited_and_counts_what_it_takes(project, writable):
    async with writable(quota=8 * MIB) as boxes, boxes.lease("s") as box:
        result = await box.run(sh("dd if=/dev/zero of=sparse bs=1 count=1 seek=1T; echo went on"))
        assert b"went on" in result.stdout
        await box.write("/workspace/small", b"x")
    assert not (project / "sparse").exists() or (project / "sparse").stat().st_size <= 64 * MIB


async def test_what_it_leaves_running_dies_with_it(writable):
    seconds = marker()
    async with writable(quota=4 * MIB, interval=0.05) as boxes:
        with contextlib.suppress(ExecutionError):
            async with boxes.lease("s") as box:
                await box.run(sh(f"sleep {seconds} & head -c 9000000 /dev/zero > f; sleep 30"))
        await until(lambda: not on_host(seconds))
