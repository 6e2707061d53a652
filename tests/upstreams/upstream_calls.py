# SPDX-License-Identifier: Apache-2.0
"""Upstreams to run against, and calls to them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import anyio

from yett.action import Action, Authorized, Decision, Effect, Principal
from yett.upstreams.settings import UpstreamLimits, UpstreamSpec

HERE = Path(__file__).parent
PATH = {"PATH": os.environ["PATH"]}
QUICK = {"backoff": 0.05, "relist_interval": 0.05, "probe_timeout": 0.5, "stop_timeout": 0.5}


def limits(**fields):
    return UpstreamLimits(**{**QUICK, "connect_timeout": 20.0, **fields})


def honest(name="up", **fields):
    return UpstreamSpec(name=name, command=(sys.executable, str(HERE / "honest_server.py")), **fields)


def hostile(behaviour, name="bad", **fields):
    return UpstreamSpec(
        name=name, command=(sys.executable, str(HERE / "hostile_server.py"), behaviour),
        **{"mode": "legacy", **fields},
    )  # fmt: skip


def call_to(upstreams, name, arguments=None, *, deadline=10.0, tool=None):
    tool = tool or next(t for t in upstreams.tools() if t.name == name)
    action = Action(
        id="act-1", kind="tool", tool=tool, arguments=arguments or {},
        principal=Principal(agent="a", id="spiffe://t/agent/a"), received_at=0.0,
    )  # fmt: skip
    return Authorized(
        action=action, decision=Decision(effect=Effect.ALLOW, rule="r", reason=""), deadline=deadline
    )


async def eventually(check, seconds=10.0):
    with anyio.fail_after(seconds):
        while not check():  # noqa: ASYNC110 - what is awaited is another room's state
            await anyio.sleep(0.02)


@contextmanager
def honest_over_http():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, str(HERE / "honest_server.py"), "http", str(port)])
    try:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port, process
    finally:
        process.kill()
        process.wait()
