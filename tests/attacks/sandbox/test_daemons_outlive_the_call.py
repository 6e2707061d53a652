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
