# SPDX-License-Identifier: Apache-2.0
"""The kernel writes core files by a pattern of the host's: a program or a path there, as root."""

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_a_crash_leaves_no_core_anywhere_and_the_limit_can_not_be_raised(sandboxes_of, host):
    script = (
        "ulimit -c unlimited 2>/dev/null; ulimit -c; sh -c 'kill -SEGV $$'; sh -c 'kill -ABRT $$'; "
        "find / -xdev -name '*core*' -type f -newer /proc/1/cmdline 2>/dev/null"
    )
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        result = await box.run(sh(script))
        assert result.stdout == b"0\n"
        assert b"core dumped" not in result.stderr
        assert (await box.run(sh("kill -SEGV 1; echo alive"))).stdout == b"alive\n"
    host.unharmed()
