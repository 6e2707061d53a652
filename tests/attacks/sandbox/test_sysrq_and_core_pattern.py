# SPDX-License-Identifier: Apache-2.0
"""Files of /proc and /sys through which a writer would own the host."""

from pathlib import Path

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

PATTERN = Path("/proc/sys/kernel/core_pattern")
WRITTEN = """
    /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/sysrq /proc/sys/kernel/modprobe
    /proc/sys/fs/binfmt_misc/register /proc/sys/vm/panic_on_oom /proc/sys/kernel/hotplug
    /sys/kernel/uevent_helper /sys/fs/cgroup/release_agent /sys/fs/cgroup/memory/release_agent
    /sys/kernel/mm/transparent_hugepage/enabled /sys/power/state /proc/1/oom_score_adj
    /proc/1/coredump_filter /dev/mem /dev/kmsg /dev/sda /dev/vda
"""
READ = """
    /proc/kcore /proc/timer_list /proc/keys /proc/sched_debug /proc/scsi/scsi /proc/kmsg
    /sys/firmware/dmi/tables/DMI /dev/mem /dev/vda /proc/1/maps /proc/1/mem
"""


async def test_nothing_of_the_kernel_can_be_written(sandboxes_of, host):
    before = PATTERN.read_text()  # noqa: ASYNC240  (procfs)
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        script = "".join(f"(echo c > {path}) 2>/dev/null && echo wrote {path}; " for path in WRITTEN.split())
        assert (await box.run(sh(script + "true"))).stdout == b""
    assert PATTERN.read_text() == before  # noqa: ASYNC240
    host.unharmed()


async def test_nothing_that_tells_of_the_host_can_be_read(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        script = "".join(
            f"head -c 16 {path} 2>/dev/null | grep -q . && echo read {path}; " for path in READ.split()
        )
        assert (await box.run(sh(script + "true"))).stdout == b""
        listed = await box.run(sh("find /dev -type b; find /dev -type c | sort | tr '\\n' ' '"))
    harmless = "full null ptmx random tty urandom zero pts/ptmx"
    assert set(listed.stdout.decode().split()) <= {f"/dev/{name}" for name in harmless.split()}
