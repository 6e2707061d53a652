# SPDX-License-Identifier: Apache-2.0
"""A whole gate with a proxy for programs in front of it, and a server that programs may reach."""

from __future__ import annotations

import http.client
import ssl
import time
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest
from egress_loopback import serving

from gate import Door, World
from yett.action import Arrival, Secret, Transport
from yett.egress.interception import Interception
from yett.egress.outbound import Egress
from yett.egress.program_proxy import ProgramProxy
from yett.egress.settings import EgressLimits, EgressRule, EgressSettings
from yett.tools.http_request import HttpRequestTool

GET_ONLY = {"id": "get", "allow": "http_request", "to": "writer", "when": {"http.method": "GET"}}
POSTS = {"id": "post", "allow": "http_request", "to": "writer", "when": {"http.path": "/upload"}}
ASKS = {"id": "asks", "ask": "http_request", "to": "writer", "when": {"http.path": "/asked"}}


class Net:
    """A gate with a server that programs may reach, and the proxy on a port of loopback."""

    def __init__(self, world, port, interception, proxy):
        self.world = world
        self.port = port
        self.proxy = proxy
        self.trust = ssl.create_default_context(cadata=interception.authority.decode())

    async def get(self, url, method="GET", body=None, headers=None):
        def ask():
            line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                line.request(method, url, body=body, headers=headers or {})
                response = line.getresponse()
                return response.status, dict(response.getheaders()), response.read()
            finally:
                line.close()

        return await anyio.to_thread.run_sync(ask)

    async def get_tls(self, host, port, path="/", *, named=None):
        def ask():
            line = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self.trust)
            line.set_tunnel(host, port)
            try:
                line.request("GET", path, headers={"Host": named} if named else {})
                response = line.getresponse()
                return response.status, response.read()
            finally:
                line.close()

        return await anyio.to_thread.run_sync(ask)

    async def raw(self, data):
        async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
            await stream.send(data)
            got = bytearray()
            with anyio.move_on_after(5):
                try:
                    while True:
                        got += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    pass
            return bytes(got)


@asynccontextmanager
async def net(*rules, allow=(), limits=None, ca_file=None):
    limits = limits or EgressLimits()
    egress = Egress(EgressSettings(allow=allow, ca_file=ca_file, limits=limits))
    tool = HttpRequestTool(egress, lambda: world.gate)
    world = World(rules, tray=tool)
    interception = Interception(now=time.time())
    proxy = ProgramProxy(lambda: world.gate, interception, limits)
    principal = await Door().identify(_arrival())
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, lambda stream: proxy.serve(stream, principal))
        port = listener.extra(anyio.abc.SocketAttribute.local_port)  # noqa: S610  (anyio's, not Django's)
        yield Net(world, port, interception, proxy)
        group.cancel_scope.cancel()


def _arrival():
    return Arrival(transport=Transport.INTERNAL, credential=Secret("research-1"))


@pytest.fixture
def server():
    with serving() as running:
        yield running


def to(server, **more):
    return (EgressRule(host=f"127.0.0.1:{server.port}", **more),)
