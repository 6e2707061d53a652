# SPDX-License-Identifier: Apache-2.0
"""Each new name in a CONNECT costs the gate a certificate before anything is decided: made-up names."""

import threading
import time

import anyio
import pytest
from anyio.abc import ByteStream
from sandbox_world import until

from yett.action import Principal
from yett.egress.interception import Interception
from yett.egress.program_proxy import ProgramProxy

pytestmark = pytest.mark.anyio

ANN, BEN = (Principal(id=f"agent:{name}", agent=name) for name in ("ann", "ben"))


class Program(ByteStream):
    """A program's connection that asks for one host and hangs up when that was answered."""

    def __init__(self, host):
        self._said = f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()

    async def receive(self, max_bytes=65536):
        said, self._said = self._said[:max_bytes], b""
        if not said:
            raise anyio.EndOfStream
        return said

    async def send(self, item):
        pass

    async def send_eof(self):
        pass

    async def aclose(self):
        pass


async def test_who_makes_up_names_waits_for_itself_and_holds_nobody_up():
    interception = Interception(time.time())
    made, threads, make = [], set(), interception.context

    def noted(host):
        made.append(host)
        threads.add(threading.get_ident())
        return make(host)

    interception.context = noted
    proxy = ProgramProxy(lambda: None, interception)
    async with anyio.create_task_group() as tasks:
        for number in range(40):
            tasks.start_soon(proxy.serve, Program(f"made-up-{number}.test"), ANN)
        tasks.start_soon(proxy.serve, Program("wanted.test"), BEN)
        await until(lambda: "wanted.test" in made, 10)
        assert len(made) < 10
        tasks.cancel_scope.cancel()
    assert threading.get_ident() not in threads


async def test_a_name_that_is_known_is_answered_at_once():
    interception = Interception(time.time())
    proxy = ProgramProxy(lambda: None, interception)
    first = await proxy._context("a.test", "ann")
    async with proxy._asking["ann"]:  # as if more were being made
        assert await proxy._context("a.test", "ann") is first
