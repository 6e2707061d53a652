# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the gateway must not leave an upstream's program running, however stubborn it is."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parents[1] / "upstreams"
GATEWAY = f"""
import sys, anyio
sys.path.insert(0, {str(HERE)!r})
from upstream_calls import hostile, limits
from yett.upstreams.upstreams import Upstreams

async def main():
    stubborn = hostile("stubborn", env={{"MARK": "yett-outlives-test"}})
    async with Upstreams([stubborn], limits()).running() as u:
        print(sorted(u.connected()), flush=True)
        await anyio.sleep_forever()

anyio.run(main)
"""


def marked():
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if b"MARK=yett-outlives-test" in environ.read_bytes():
                found.append(environ.parent.name)
        except OSError:
            continue
    return found


def test_a_program_that_ignores_every_signal_dies_with_the_gateway():
    gateway = subprocess.Popen([sys.executable, "-c", GATEWAY], stdout=subprocess.PIPE, text=True)
    try:
        assert gateway.stdout.readline() == "['bad']\n"
        assert marked()
    finally:
        gateway.kill()
        gateway.wait()
        gateway.stdout.close()
    for _ in range(100):
        if not marked():
            break
        time.sleep(0.05)
    assert not marked()
