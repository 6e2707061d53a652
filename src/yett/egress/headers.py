# SPDX-License-Identifier: Apache-2.0
"""Headers: which an agent may set, what comes back, and how a credential stays unseen.

A header that frames the message, that routes it, or that overrides what the allow list decided on is
refused by a table. Pure. Called by `outbound` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from yett.egress.settings import EgressLimits
from yett.errors import EgressRefused, ExecutionError

Headers = tuple[tuple[str, str], ...]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")

REFUSED = {
    **dict.fromkeys(
        (
            "host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer",
            "upgrade", "expect", "proxy-connection", "proxy-authorization", "http2-settings",
        ),
        "the gate frames the message itself",
    ),
    "content-encoding": "what is sent is looked at as it is, so it is sent unpacked",
    **dict.fromkeys(
        ("x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"),
        "it would change the method or the path that was allowed",
    ),
    **dict.fromkeys(
        (
            "forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip",
            "x-original-host", "x-client-ip",
        ),
        "it would claim another origin or destination",
    ),
}  # fmt: skip
"""Header names that an agent may not set, with the reason. `_` counts as `-`, as servers do."""

_OURS = frozenset({"accept-encoding"})
_DECODED = frozenset({"content-encoding", "content-length", "transfer-encoding"})
MASK = "***"


def same_name(name: str) -> str:
    """Names that a server may take for one are one here."""
    return name.lower().replace("_", "-")


def outgoing(headers: Headers, limits: EgressLimits) -> list[tuple[str, str]]:
    """The agent's headers that go on, in order.

    Raises:
        EgressRefused: one that may not be set, can't be written, or too many of them.
    """
    if len(headers) > limits.request_headers:
        raise EgressRefused(f"More than {limits.request_headers} request headers.")
    if sum(len(name) + len(value) + 4 for name, value in headers) > limits.request_header_bytes:
        raise EgressRefused(f"The request headers are larger than {limits.request_header_bytes} bytes.")
    kept = []
    for name, value in headers:
        key = same_name(name)
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise EgressRefused("A request header holds characters that headers can't hold.")
        if key in REFUSED:
            raise EgressRefused(f"The header {name} can't be set: {REFUSED[key]}.")
        if key not in _OURS:
            kept.append((name, value.strip(" \t")))
    return kept


def incoming(raw: Iterable[tuple[bytes, bytes]], limits: EgressLimits) -> Headers:
    """The response's headers as text, without those that describe the bytes on the wire.

    Raises:
        ExecutionError: too many or too large.
    """
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw]
    if len(headers) > limits.response_headers:
        raise ExecutionError(f"The response has more than {limits.response_headers} headers.")
    if sum(len(name) + len(value) + 4 for name, value in headers) > limits.response_header_bytes:
        raise ExecutionError(f"The response headers are larger than {limits.response_header_bytes} bytes.")
    return tuple((name, value) for name, value in headers if name not in _DECODED)


class Masking:
    """Replaces a credential by `***` wherever a response repeats it."""

    def __init__(self, value: str | None) -> None:
        pieces = {value, value.rpartition(" ")[2]} if value else set()
        self._pieces = sorted((piece for piece in pieces if piece), key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without the credential."""
        for piece in self._pieces:
            text = text.replace(piece, MASK)
        return text

    def body(self, body: bytes, *, truncated: bool) -> bytes:
        """The body without the credential; of a truncated one, also without its beginning at the end."""
        for piece in self._pieces:
            secret = piece.encode("utf-8")
            body = body.replace(secret, MASK.encode())
            if truncated:
                cut = next((n for n in range(len(secret) - 1, 0, -1) if body.endswith(secret[:n])), 0)
                body = body[: len(body) - cut] if cut else body
        return body
