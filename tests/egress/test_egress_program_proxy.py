# SPDX-License-Identifier: Apache-2.0
"""Programs' requests are actions: the real gate, the real way out, a real server, ordinary clients."""

from __future__ import annotations

import socket

import pytest
from egress_loopback import certificate, serving
from program_net import ASKS, GET_ONLY, POSTS, net, server, to

from yett.egress.settings import EgressLimits

__all__ = ["server"]

pytestmark = pytest.mark.anyio


async def test_a_programs_request_is_decided_recorded_and_sent(server):
    server.answers["/data"] = (200, [("Content-Type", "application/octet-stream")], b"\x00\xff bytes")
    async with net(GET_ONLY, allow=to(server)) as it:
        status, headers, body = await it.get(f"http://127.0.0.1:{server.port}/data", headers={"X-One": "1"})
        assert (status, body) == (200, b"\x00\xff bytes")
        assert headers["content-type"] == "application/octet-stream"
        assert server.last.header("X-One") == ["1"]
        assert it.world.events() == ["decision", "intent", "outcome"]
        assert it.world.rules_recorded()[0] == "get"


async def test_what_no_rule_opens_is_a_403_and_never_sent(server):
    async with net(GET_ONLY, allow=to(server)) as it:
        status, _, body = await it.get(f"http://127.0.0.1:{server.port}/", "POST", b"secret plans")
        assert status == 403
        assert body.startswith(b"yett: ")
        assert not server.seen
        assert it.world.events() == ["decision"]


async def test_a_host_that_is_not_on_the_list_is_a_403_and_never_reached(server):
    async with net(GET_ONLY) as it:
        status, _, _ = await it.get(f"http://127.0.0.1:{server.port}/")
        assert status == 403
        assert not server.seen


async def test_a_request_that_needs_a_person_names_the_pending_approval(server):
    async with net(ASKS, allow=to(server)) as it:
        status, _, body = await it.get(f"http://127.0.0.1:{server.port}/asked")
        assert status == 403
        assert it.world.notify.pending[0].id.encode() in body
        assert not server.seen


async def test_a_body_of_any_bytes_arrives_as_it_was_sent(server):
    payload = bytes(range(256)) * 3
    async with net(POSTS, allow=to(server)) as it:
        url = f"http://127.0.0.1:{server.port}/upload"
        assert (await it.get(url, "POST", payload))[0] == 200
        assert server.last.body == payload
        assert (await it.get(url, "PUT", b"text"))[0] == 200
        assert server.last.body == b"text"


async def test_a_body_over_the_limit_is_refused_and_one_of_the_limit_is_not(server):
    async with net(POSTS, allow=to(server), limits=EgressLimits(request_bytes=1000)) as it:
        url = f"http://127.0.0.1:{server.port}/upload"
        assert (await it.get(url, "POST", b"x" * 1000))[0] == 200
        assert (await it.get(url, "POST", b"x" * 1001))[0] == 413
        assert len(server.seen) == 1


async def test_a_response_over_the_limit_is_an_error_and_not_half_a_file(server):
    server.answers["/big"] = (200, [], b"x" * 2001)
    async with net(GET_ONLY, allow=to(server), limits=EgressLimits(response_bytes=2000)) as it:
        status, _, _ = await it.get(f"http://127.0.0.1:{server.port}/big")
        assert status == 502


async def test_what_is_sent_over_tls_is_read_decided_and_sent_over_verified_tls(tmp_path):
    ca_file, context = certificate(tmp_path, "127.0.0.1")
    with serving(context) as server:
        server.answers["/private"] = (200, [], b"over tls")
        async with net(GET_ONLY, allow=to(server), ca_file=ca_file) as it:
            assert await it.get_tls("127.0.0.1", server.port, "/private") == (200, b"over tls")
            assert server.last.target == "/private"
            assert it.world.rules_recorded()[0] == "get"


async def test_a_request_inside_connect_for_another_host_is_refused(server):
    async with net(GET_ONLY, allow=to(server)) as it:
        status, body = await it.get_tls("127.0.0.1", server.port, "/", named="other.example")
        assert status == 421
        assert b"another host" in body
        assert not server.seen


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"TRACE http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", b"405"),
        (b"CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
        (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", b"400"),
        (b"\x16\x03\x01 nonsense\r\n\r\n", b"400"),
        (b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000, b"431"),
    ],
)
async def test_what_is_no_proxy_request_is_refused_and_never_becomes_an_action(line, status):
    async with net(GET_ONLY) as it:
        answer = await it.raw(line)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert it.world.events() == ["refusal"]


async def test_two_requests_of_one_connection_are_two_actions(server):
    one = f"GET http://127.0.0.1:{server.port}/a HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    async with net(GET_ONLY, allow=to(server), limits=EgressLimits(idle=0.3)) as it:
        answer = await it.raw(one + one)
        assert answer.count(b"HTTP/1.1 200") == 2
        assert it.world.events().count("decision") == 2


async def test_a_silent_connection_ends():
    async with net(limits=EgressLimits(idle=0.05)) as it:
        assert await it.raw(b"GET http") == b""


async def test_a_connection_ends_after_its_time_however_busy():
    async with net(limits=EgressLimits(idle=10, connection=0.2)) as it:
        assert await it.raw(b"") == b""


async def test_a_program_that_goes_away_in_the_middle_leaves_nothing(server):
    async with net(GET_ONLY, allow=to(server)) as it:
        for data in (b"", b"GET ", b"CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03"):
            with socket.create_connection(("127.0.0.1", it.port)) as line:
                line.sendall(data)
        status, _, _ = await it.get(f"http://127.0.0.1:{server.port}/")
        assert status == 200
