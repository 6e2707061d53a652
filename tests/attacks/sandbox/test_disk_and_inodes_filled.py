# SPDX-License-Identifier: Apache-2.0
import pytest
from host_watch import MIB
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

EVERYWHERE = (
    "for d in $(find / -xdev -type d 2>/dev/null) /tmp /workspace /dev/shm /dev /run /var /proc /sys; do "
    "(head -c 100000000 /dev/zero > $d/yett-filler) 2>/dev/null; done; "
    "find / -name yett-filler -type f 2>/dev/null | sort"
)


async def test_only_the_sized_file_systems_take_a_byte_and_the_hosts_disk_takes_none(sandboxes_of, host):
    sizes = {"work_size": 8 * MIB, "tmp_size": 4 * MIB, "memory": 128 * MIB}
    async with sandboxes_of(**sizes) as boxes:
        async with boxes.lease("s") as box:
            filled = await box.run(sh(EVERYWHERE))
            assert filled.stdout.split() == [
                b"/dev/shm/yett-filler",
                b"/tmp/yett-filler",
                b"/workspace/yett-filler",
            ]
            used = await box.run(sh("stat -c %s /tmp/yett-filler /workspace/yett-filler"))
            assert [int(size) for size in used.stdout.split()] <= [4 * MIB, 8 * MIB]
        async with boxes.lease("other") as box:  # another session has its own
            assert (await box.run(sh("head -c 4000000 /dev/zero > f && echo written"))).stdout == b"written\n"
    host.unharmed()


async def test_a_file_system_without_a_free_inode_takes_no_file_of_another_kind_either(sandboxes_of, host):
    script = (
        "cd {0}; i=0; while true > f$i; do i=$((i+1)); done 2>/dev/null; "
        "for make in 'mkdir d' 'ln -s x l' 'mkfifo p'; do $make 2>/dev/null && echo made; done; "
        "ls | wc -l"
    )
    async with sandboxes_of(inodes=64) as boxes, boxes.lease("s") as box:
        for folder in ("/workspace", "/tmp"):
            result = await box.run(sh(script.format(folder)))
            assert b"made" not in result.stdout
            assert 0 < int(result.stdout) < 64
    host.unharmed()


async def test_a_hole_a_terabyte_long_ends_at_the_limit_of_a_file(sandboxes_of, host):
    async with sandboxes_of(file_size=MIB) as boxes, boxes.lease("s") as box:
        result = await box.run(
            sh("truncate -s 1T hole; dd if=/dev/zero of=far bs=1 count=1 seek=1T; stat -c %s hole far")
        )
        assert all(int(size) <= MIB for size in result.stdout.split())
        assert (await box.run(sh("truncate -s 1048576 fits && stat -c %s fits"))).stdout == b"1048576\n"
    host.unharmed()
