# SPDX-License-Identifier: Apache-2.0
"""The HTTP client for one upstream: its own credentials, no redirects, bounded answers.

The upstream's URL is the operator's, so its address is not checked; where it redirects to is the
upstream's, so that is never followed. Called by `connection`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx2

from yett.errors import ConfigurationError
from yett.upstreams.settings import UpstreamLimits, UpstreamSpec

_TIMEOUT = httpx2.Timeout(30.0, connect=10.0, read=300.0)
"""Calls have deadlines of their own; a stream of notifications may be quiet for minutes."""


def check_url(spec: UpstreamSpec) -> None:
    """Refuse a URL that is none, or that would carry credentials in clear.

    Raises:
        ConfigurationError: as said.
    """
    place = ("upstreams", spec.name, "url")
    try:
        parts = urlsplit(spec.url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError("not a URL", path=place) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ConfigurationError("an upstream's URL is http:// or https://", path=place)
    if parts.username is not None:
        raise ConfigurationError("credentials belong under 'credentials', not into the URL", path=place)
    if spec.credentials is not None and parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ConfigurationError("credentials need https", path=place)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def http_client(
    spec: UpstreamSpec, limits: UpstreamLimits, on_session: Callable[[str], None]
) -> httpx2.AsyncClient:
    """A client for this upstream alone. Enter it as a context manager.

    `on_session` is told the session id that the upstream gives out.
    """
    headers = {spec.credential_header: spec.credentials.reveal()} if spec.credentials else {}
    return httpx2.AsyncClient(
        headers=headers,
        timeout=_TIMEOUT,
        trust_env=False,
        transport=_Bounded(limits.message_bytes, on_session),
    )


class _Bounded(httpx2.AsyncBaseTransport):
    """Refuses redirects, and answers or events over the limit."""

    def __init__(self, limit: int, on_session: Callable[[str], None]) -> None:
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)
        self._limit = limit
        self._on_session = on_session

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        # Answers are bounded as they come over the wire, so they must come as they are.
        request.headers["Accept-Encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        if response.is_redirect or response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.RemoteProtocolError("a redirect or a coding that was not asked for")
        if session := response.headers.get("mcp-session-id"):
            self._on_session(session)
        is_stream = response.headers.get("content-type", "").startswith("text/event-stream")
        response.stream = _BoundedStream(response.stream, self._limit, is_stream=is_stream)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _BoundedStream(httpx2.AsyncByteStream):
    """A body up to a limit; in a stream of events each event has the limit to itself."""

    def __init__(self, inner: object, limit: int, *, is_stream: bool) -> None:
        self._inner = inner
        self._limit = limit
        self._is_stream = is_stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        if not isinstance(self._inner, httpx2.AsyncByteStream):
            return
        async for chunk in self._inner:
            size += len(chunk)
            if size > self._limit:
                raise httpx2.RemoteProtocolError("a message over the limit")
            if self._is_stream and (b"\n\n" in chunk or b"\r\n\r\n" in chunk or chunk in {b"\n", b"\r\n"}):
                size = 0
            yield chunk

    async def aclose(self) -> None:
        if isinstance(self._inner, httpx2.AsyncByteStream):
            await self._inner.aclose()
