# SPDX-License-Identifier: Apache-2.0
"""What a sandboxed program's request is as arguments of `http_request`, and what a reply is as a response.

Pure. The bytes of a program are hostile: what can't be said as arguments for certain is refused. Called by
`program_proxy`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import h11

from yett.action import JsonObject, Reply
from yett.egress.body import unpacked
from yett.egress.settings import METHODS, EgressLimits
from yett.errors import EgressRefused
from yett.url import parse_url

_NOT_PASSED_ON = frozenset(
    {
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade",
        "expect", "proxy-connection", "proxy-authorization", "accept-encoding", "http2-settings",
    }
)  # fmt: skip
"""Framing and hops: between a program and its proxy they say nothing to the destination."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where the requests inside a CONNECT go. `base` is the URL up to the path."""

    base: str
    authority: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response to a program."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Refused(Exception):
    """The request can't become an action."""

    def __init__(self, status: int, words: str) -> None:
        self.status = status
        super().__init__(words)


def arguments_of(head: h11.Request, body: bytes, origin: Origin | None, limits: EgressLimits) -> JsonObject:
    """The arguments of `http_request` that say what a program asked for.

    Args:
        head: the request's line and headers.
        body: all of its body.
        origin: where a CONNECT leads that it came through.
        limits: how long its URL, and how large its body may be once it is unpacked.

    Raises:
        Refused: it can't be said.
    """
    method, url = head.method.decode("latin-1"), _url(head, origin)
    if method not in METHODS:
        raise Refused(405, f"The method {method[:20]} does not leave a sandbox.")
    try:
        parse_url(url, limit=limits.url_bytes)
    except EgressRefused as refused:
        raise Refused(400, str(refused)) from None
    headers: JsonObject = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name not in _NOT_PASSED_ON and name != "content-encoding":
            before = headers.get(name)
            headers[name] = f"{before}{'; ' if name == 'cookie' else ', '}{value}" if before else value
    arguments: JsonObject = {"url": url, "method": method, "headers": headers, "max_redirects": 0}
    if body := _unpacked(head, body, limits.request_bytes):
        try:
            arguments["body"] = body.decode()
        except UnicodeDecodeError:
            arguments["body_base64"] = base64.b64encode(body).decode("ascii")
    return arguments


def _unpacked(head: h11.Request, body: bytes, limit: int) -> bytes:
    """The body as it is read: what is packed would be sent unseen. git packs what it sends by gzip."""
    named = [value for name, value in head.headers if name.replace(b"_", b"-") == b"content-encoding"]
    words = [word.strip() for word in b",".join(named).lower().split(b",")]
    codings = [word for word in words if word not in {b"", b"identity"}]
    if not codings:
        return body
    if codings not in ([b"gzip"], [b"x-gzip"]):
        raise Refused(415, "A body that is packed in another way than once by gzip does not leave a sandbox.")
    try:
        plain = unpacked(body, limit)
    except ValueError:
        raise Refused(400, "The body is not the gzip that its headers say.") from None
    if len(plain) > limit:
        raise Refused(413, f"A request body is larger than {limit} bytes.")
    return plain


def _url(head: h11.Request, origin: Origin | None) -> str:
    target = head.target.decode("latin-1")
    if origin is None:
        if not target.lower().startswith("http://"):
            raise Refused(400, "This is a proxy: send an absolute http:// URL, or CONNECT for https.")
        return target
    if not target.startswith("/"):
        raise Refused(400, "Inside of CONNECT a request names a path.")
    named = next((value.decode("latin-1") for name, value in head.headers if name == b"host"), "")
    if named.lower().removesuffix(":443") != origin.authority:
        # Domain fronting: the host that was connected to is the one that is judged and asked.
        raise Refused(421, f"The request is for another host than the connection, {origin.authority}.")
    return f"{origin.base}{target}"


def answer_of(reply: Reply, method: bytes) -> Answer:
    """What the program is told: the response, or the gate's words under 403 or 502."""
    result = reply.result
    if result is None:
        return told(403, "This request needs an approval, and nobody here can be asked.")
    shown = result.structured
    if result.is_error or shown is None:
        words = " ".join(str(block.get("text", "")) for block in result.content)
        return told(403 if result.is_error else 502, words)
    if shown.get("truncated") is True:
        return told(502, "The response is larger than the gate passes on.")
    try:
        body = b"" if method == b"HEAD" else _bytes(shown)
    except ValueError:
        return told(502, "The response holds something private and can't be shown without it.")
    return Answer(status=_status(shown), headers=_headers(shown), body=body)


def _status(shown: JsonObject) -> int:
    status = shown.get("status")
    return status if isinstance(status, int) and 200 <= status <= 599 else 502


def _headers(shown: JsonObject) -> tuple[tuple[str, str], ...]:
    given = shown.get("headers")
    pairs = given if isinstance(given, list) else []
    return tuple(
        (str(pair[0]), str(pair[1]))
        for pair in pairs
        if isinstance(pair, list) and len(pair) == 2 and str(pair[0]).lower() not in _NOT_PASSED_ON
    )


def _bytes(shown: JsonObject) -> bytes:
    if isinstance(coded := shown.get("body_base64"), str):
        return base64.b64decode(coded, validate=True)
    text = shown.get("body")
    return text.encode() if isinstance(text, str) else b""


def told(status: int, words: str) -> Answer:
    """A response in the gate's own words."""
    return Answer(
        status=status,
        headers=(("content-type", "text/plain; charset=utf-8"), ("x-yett", "refused")),
        body=f"yett: {words}\n".encode(),
    )
