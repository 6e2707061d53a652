# SPDX-License-Identifier: Apache-2.0
"""`http.*` facts of a call, read by the one URL parser that egress sends with (`yett.url`).

What that parser refuses has no facts at all, so rules that allow on them do not match.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from yett.action import JsonObject, JsonValue
from yett.errors import EgressRefused
from yett.url import Url, parse_url

_METHOD_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_")
_SHAPE_CHANGING = ("%2F", "%5C", "%00", "%25")
"""Escapes after whose decoding a path has other segments, or another round of escapes."""


def read_url(text: str, limit: int) -> Url | None:
    """The parts of an absolute http or https URL, or None when it can't be read for certain."""
    try:
        return parse_url(text, limit=limit)
    except EgressRefused:
        return None


def url_facts(arguments: JsonObject, limit: int) -> dict[str, JsonValue]:
    """`http.*` from arguments `url` and `method` (GET when there is none)."""
    facts: dict[str, JsonValue] = {}
    method = arguments.get("method", "GET")
    if isinstance(method, str) and 0 < len(method) <= 32 and _METHOD_LETTERS.issuperset(method.upper()):
        facts["http.method"] = method.upper()
    value = arguments.get("url")
    url = read_url(value, limit) if isinstance(value, str) else None
    if url is not None:
        facts |= {"http.scheme": url.scheme, "http.host": url.plain_host, "http.port": url.port}
        path = _decoded(url)
        if path is not None:
            facts["http.path"] = path
    return facts


def _decoded(url: Url) -> str | None:
    """The decoded path; None where an escape would change its shape or is no text."""
    if any(escape in url.path for escape in _SHAPE_CHANGING):
        return None
    try:
        return unquote_to_bytes(url.path).decode("utf-8")
    except UnicodeError:
        return None
