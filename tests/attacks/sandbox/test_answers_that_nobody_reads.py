# SPDX-License-Identifier: Apache-2.0
"""Programs that ask for much and read nothing, or send most of a body and wait."""

import time
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import ByteStream
from sandbox_world import until

from yett.action import Principal
from yett.egress.interception import Interception
from yett.egress.program_messages import Answer
from yett.egress.program_proxy import ProgramProxy
from yett.egress.settings import EgressLimits

pytestmark = pytest.mark.anyio

ANN, BEN = (Principal(id=f"agent:{name}", agent=name) for name in ("ann", "ben"))
GET = b"GET http://site.test/big HTTP/1.1\r\nHost: site.test\r\n\r\n"
POST = b"POST http://site.test/up HTTP/1.1\r\nHost: site.test\r\nContent-Length: 1000\r\n\r\n" + b"x" * 900


class Refusals:
    """A gate that is only told of what never became an action."""

    async def refuse(self, arrival, rule, reason):
        pass


class Program(ByteStream):
    """A program's connection: it says one thing, and reads when it is told to."""

    def __init__(self, said):
        self._said = said
        self.reads = anyio.Event()
        self.sent = b""

    async def receive(self, max_bytes=65536):
        said, self._said = self._said[:max_bytes], self._said[max_bytes:]
        if not said:
            await anyio.sleep_forever()
        return said

    async def send(self, item):
        self.sent += item
        await self.reads.wait()

    async def send_eof(self):
        pass

    async def aclose(self):
        pass

    @property
    def status(self):
        return self.sent.split(b" ")[1] if self.sent else b""


@asynccontextmanager
async def proxied(held):
    """Open connections to a proxy behind which each answer has 1000 bytes."""
    proxy = ProgramProxy(Refusals, Interception(time.time()), EgressLimits(held_bytes=held))

    async def passed(head, body, principal, origin):
        del head, body, principal, origin
        return Answer(status=200, headers=(), body=b"y" * 1000)

    proxy._pass = passed
    async with anyio.create_task_group() as tasks:

        def connect(said, principal=ANN):
            program = Program(said)
            tasks.start_soon(proxy.serve, program, principal)
            return program

        yield proxy, connect
        tasks.cancel_scope.cancel()
    assert proxy._held.bytes == {}


async def test_answers_that_an_agent_does_not_read_are_held_up_to_a_limit_and_no_other_pays():
    async with proxied(2500) as (proxy, connect):
        silent = [connect(GET) for _ in range(3)]
        await until(lambda: all(program.sent for program in silent), 5)
        assert sorted(program.status for program in silent) == [b"200", b"200", b"503"]
        other = connect(GET, BEN)
        await until(lambda: other.sent, 5)
        assert other.status == b"200"
        for program in silent:
            program.reads.set()
        await until(lambda: "ann" not in proxy._held.bytes, 5)
        again = connect(GET)
        await until(lambda: again.sent, 5)
        assert again.status == b"200"


async def test_bodies_that_do_not_end_are_held_up_to_a_limit():
    async with proxied(2500) as (proxy, connect):
        waiting = [connect(POST) for _ in range(3)]
        await until(lambda: any(program.sent for program in waiting), 5)
        assert sorted(program.status for program in waiting) == [b"", b"", b"503"]
        assert proxy._held.bytes == {"ann": 1800}
