# SPDX-License-Identifier: Apache-2.0
"""The proxy that programs in sandboxes talk to: each request they send is an action of their agent.

A connection comes from a container's loopback port. It speaks HTTP/1.1 as a proxy: absolute URLs, or
CONNECT, inside of which the gate itself answers TLS (`interception`) so that the request is read like
any other. Nothing is passed on as it came: a request becomes arguments of `http_request`, goes through
`Gate.pass_` under the principal of the sandbox, and what the gate gives back becomes the response. The
bytes of a program are hostile; every limit is in `EgressLimits`. Joined by `app.py` (`ports.Forward`).
"""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import h11
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from yett.action import Arrival, Kind, Principal, Request, Transport
from yett.egress.interception import Interception
from yett.egress.program_messages import Answer, Origin, Refused, answer_of, arguments_of, told
from yett.egress.settings import EgressLimits
from yett.errors import EgressRefused
from yett.ports import Gate
from yett.url import DEFAULT_PORTS, parse_authority

TOOL = "http_request"
"""The tool that a program's request is decided as."""

RULE = "egress.program-request"
"""The rule of a request that can't become an action."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_RECEIVE = 1 << 16


class ProgramProxy:
    """Serves connections of sandboxed programs."""

    def __init__(
        self, gate: Callable[[], Gate], interception: Interception, limits: EgressLimits | None = None
    ) -> None:
        """`gate` gives the gate when it is needed; the gate is built after the rooms behind it."""
        self._gate = gate
        self._interception = interception
        self._limits = limits or EgressLimits()
        self._maker = anyio.CapacityLimiter(1)
        self._asking: dict[str, anyio.Lock] = {}
        self._turns: dict[str, anyio.CapacityLimiter] = {}

    async def serve(self, stream: ByteStream, principal: Principal) -> None:
        """Serve one connection to its end, and close it (`ports.Forward`)."""
        try:
            async with stream:
                with anyio.move_on_after(self._limits.connection):
                    await self._conversation(stream, principal, None)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, ssl.SSLError):
            return  # the program went away, or speaks no TLS

    async def _conversation(self, stream: ByteStream, principal: Principal, origin: Origin | None) -> None:
        """Requests of one connection, one after the other; inside of CONNECT `origin` says where to."""
        wire = h11.Connection(h11.SERVER, max_incomplete_event_size=self._limits.request_header_bytes)
        while True:
            try:
                with anyio.move_on_after(self._limits.idle) as waiting:
                    head = await self._event(wire, stream)
                if waiting.cancelled_caught or not isinstance(head, h11.Request):
                    return None
                if head.method == b"CONNECT" and origin is None:
                    return await self._tunnel(wire, stream, head, principal)
                async with self._turn(principal.agent):
                    with anyio.fail_after(self._limits.timeout):
                        body = await self._body(wire, stream)
                    answer = await self._pass(head, body, principal, origin)
                    del body
                    with anyio.fail_after(self._limits.timeout):
                        await _send(wire, stream, answer, last=False)
            except Refused as refused:
                await self._record(principal, str(refused))
                return await _send(wire, stream, told(refused.status, str(refused)), last=True)
            except h11.RemoteProtocolError as fault:
                await self._record(principal, "This is no HTTP/1.1 request.")
                return await self._malformed(wire, stream, fault)
            except TimeoutError:
                return None
            if wire.our_state is not h11.DONE or wire.their_state is not h11.DONE:
                return None
            wire.start_next_cycle()

    @asynccontextmanager
    async def _turn(self, agent: str) -> AsyncIterator[None]:
        """One request of the agent's programs at work: its body is in memory, or its response is.

        Whoever waits has sent no more than a head and a window, so what drips or does not read holds little.

        Raises:
            Refused: the others took too long.
        """
        turns = self._turns.setdefault(agent, anyio.CapacityLimiter(self._limits.requests))
        try:
            with anyio.fail_after(self._limits.timeout):
                await turns.acquire()
        except TimeoutError:
            raise Refused(503, "This agent's programs have too many requests under way.") from None
        try:
            yield
        finally:
            turns.release()

    async def _record(self, principal: Principal, reason: str) -> None:
        """What never becomes an action is in the log all the same (law 1)."""
        arrival = Arrival(transport=Transport.INTERNAL, client=f"a program of {principal.agent}")
        await self._gate().refuse(arrival, RULE, reason)

    async def _malformed(
        self, wire: h11.Connection, stream: ByteStream, fault: h11.RemoteProtocolError
    ) -> None:
        if wire.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            await _send(
                wire, stream, told(fault.error_status_hint, "This is no HTTP/1.1 request."), last=True
            )

    async def _event(self, wire: h11.Connection, stream: ByteStream) -> h11.Event | None:
        """The next event; None where nothing may follow."""
        while (event := wire.next_event()) is h11.NEED_DATA:
            if wire.they_are_waiting_for_100_continue:
                await stream.send(
                    wire.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))
                    or b""
                )
            try:
                wire.receive_data(await stream.receive(_RECEIVE))
            except anyio.EndOfStream:
                wire.receive_data(b"")
        return event if isinstance(event, h11.Event) else None

    async def _body(self, wire: h11.Connection, stream: ByteStream) -> bytes:
        body = bytearray()
        while isinstance(event := await self._event(wire, stream), h11.Data):
            body += event.data
            if len(body) > self._limits.request_bytes:
                raise Refused(413, f"A request body is larger than {self._limits.request_bytes} bytes.")
        if not isinstance(event, h11.EndOfMessage):
            raise anyio.EndOfStream
        return bytes(body)

    async def _tunnel(
        self, wire: h11.Connection, stream: ByteStream, head: h11.Request, principal: Principal
    ) -> None:
        """Answer CONNECT, be the server of its TLS, and serve what comes inside."""
        try:
            host, address, port = parse_authority(head.target.decode("latin-1"))
        except EgressRefused as refused:
            raise Refused(400, str(refused)) from None
        if port is None:
            raise Refused(400, "CONNECT needs a host and a port.")
        if not isinstance(wire.next_event(), h11.EndOfMessage):
            raise Refused(400, "CONNECT has no body.")
        plain = f"[{host}]" if address is not None and address.version == 6 else host
        authority = plain if port == DEFAULT_PORTS["https"] else f"{plain}:{port}"
        answered = wire.send(h11.Response(status_code=200, headers=[], reason=b"Connection established"))
        await stream.send(answered or b"")
        early, _ = wire.trailing_data
        if early:
            return  # bytes before our answer: nobody who speaks TLS does that
        with anyio.fail_after(self._limits.connect_timeout):
            context = await self._context(host, principal.agent)
            inside = await TLSStream.wrap(
                stream,
                server_side=True,
                ssl_context=context,
                standard_compatible=False,
            )
        await self._conversation(inside, principal, Origin(base=f"https://{authority}", authority=authority))

    async def _context(self, host: str, agent: str) -> ssl.SSLContext:
        """Made in a thread, one at a time and one of each agent: a certificate takes milliseconds."""
        async with self._asking.setdefault(agent, anyio.Lock()):
            return await anyio.to_thread.run_sync(self._interception.context, host, limiter=self._maker)

    async def _pass(
        self, head: h11.Request, body: bytes, principal: Principal, origin: Origin | None
    ) -> Answer:
        """Hand one request to the gate, and turn what it gives back into a response."""
        reply = await self._gate().pass_(
            Request(
                kind=Kind.HTTP,
                name=TOOL,
                arguments=arguments_of(head, body, origin, self._limits),
                arrival=Arrival(transport=Transport.INTERNAL),
                principal=principal,
            )
        )
        return answer_of(reply, head.method)


async def _send(wire: h11.Connection, stream: ByteStream, answer: Answer, *, last: bool) -> None:
    headers = [(name, value) for name, value in answer.headers if _sendable(name, value)]
    headers.append(("content-length", str(len(answer.body))))
    if last:
        headers.append(("connection", "close"))
    message: list[h11.Event] = [h11.Response(status_code=answer.status, headers=headers)]
    if answer.body:
        message.append(h11.Data(data=answer.body))
    message.append(h11.EndOfMessage())
    await stream.send(b"".join(wire.send(event) or b"" for event in message))


def _sendable(name: str, value: str) -> bool:
    """Whether h11 will take it: a server may have sent what no header can hold."""
    plain = value.isascii() and value.isprintable() and value == value.strip()
    return plain and _NAME.fullmatch(name) is not None
