# SPDX-License-Identifier: Apache-2.0
import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

MIB = 1 << 20


async def test_a_program_that_eats_memory_is_killed_and_the_runner_lives(sandboxes_of):
    async with sandboxes_of(memory=48 * MIB) as boxes, boxes.lease("s") as box:
        bomb = await box.run(sh("x=$(cat /dev/zero | tr '\\0' 'x'); echo survived"))
        assert bomb.oom
        assert b"survived" not in bomb.stdout
        calm = await box.run(sh("kill -9 $$"))
        assert (calm.signal, calm.oom) == (9, False)


async def test_files_in_tmpfs_count_against_the_memory_limit_and_their_size(sandboxes_of):
    script = (
        "for d in /workspace /tmp /dev/shm; do "
        "for i in 1 2 3 4 5; do cat /dev/zero > $d/$i; done; du -sm $d; done"
    )
    small = {"memory": 64 * MIB, "work_size": 8 * MIB, "tmp_size": 8 * MIB, "file_size": 4 * MIB}
    async with sandboxes_of(**small) as boxes, boxes.lease("s") as box:
        result = await box.run(sh(script))
    sizes = [int(line.split()[0]) for line in result.stdout.splitlines()]
    assert [size <= most for size, most in zip(sizes, (8, 8, 16), strict=True)] == [True] * 3
