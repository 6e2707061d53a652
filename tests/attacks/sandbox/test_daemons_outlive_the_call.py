# SPDX-License-Identifier: Apache-2.0
import pytest
from sandbox_world import marker, on_host, sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.mark.parametrize(
    "script",
    [
        "sleep {0} & exit 0",
        "nohup sleep {0} >/dev/null 2>&1 & exit 0",
        "setsid sh -c 'sleep {0} & setsid sleep {0} &' </dev/null >/dev/null 2>&1 & sleep 0.05; exit 0",
        "trap '' TERM INT HUP; (trap '' TERM; setsid sleep {0} >/dev/null 2>&1 &) & exit 0",
    ],
)
async def test_nothing_that_a_call_started_is_alive_when_it_returns(sandboxes_of, script):
    seconds = marker()
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        assert (await box.run(sh(script.format(seconds)))).exit_code == 0
        assert on_host(seconds) == []
        assert (await box.run(sh("ls -d /proc/[0-9]* | wc -l"))).stdout.strip() in {b"3", b"4"}


async def test_pid_1_cannot_be_signalled_stopped_or_read_from_inside(sandboxes_of):
    script = (
        "kill -9 1; kill -STOP 1; kill -SEGV 1; "
        "cat /proc/1/environ /proc/1/mem /proc/1/maps; ls /proc/1/fd; cat /proc/1/fd/*; "
        "echo x > /proc/1/mem; echo still here"
    )
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        result = await box.run(sh(script))
        assert result.stdout == b"still here\n"
        assert result.stderr.count(b"Permission denied") + result.stderr.count(b"can't open") >= 5
        await box.run(sh("kill -9 -1"))
        assert (await box.run(sh("echo alive"))).stdout == b"alive\n"
