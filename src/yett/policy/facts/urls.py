# SPDX-License-Identifier: Apache-2.0
"""URLs: the one parser of the policy room. It reads what every parser reads alike, or nothing.

White space, controls, backslashes, userinfo, a percent sign in the host and schemes other than http
and https are where URL parsers disagree, so a URL with any of them has no facts at all, and rules
that allow on them do not match. Source: https://url.spec.whatwg.org/.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from yett.action import JsonObject, JsonValue
from yett.policy.facts.hosts import canonical_host

_PORTS = {"http": 80, "https": 443}
_METHOD_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_")
_HEX = frozenset("0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A URL in parts. `path` is None when it can be read in two ways (an encoded slash)."""

    scheme: str
    host: str
    port: int
    path: str | None


def parse_url(text: str, limit: int) -> Url | None:
    """The parts of an absolute http or https URL, or None when it can't be read for certain."""
    if len(text) > limit or "\\" in text or any(ord(letter) <= 32 or ord(letter) == 127 for letter in text):
        return None
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _PORTS:
        return None
    authority = rest.split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]
    if not authority or "@" in authority:
        return None
    split = _host_and_port(authority, _PORTS[scheme])
    if split is None:
        return None
    after = rest[len(authority) :].split("#", 1)[0].split("?", 1)[0]
    return Url(scheme=scheme, host=split[0], port=split[1], path=_path(after))


def url_facts(arguments: JsonObject, limit: int) -> dict[str, JsonValue]:
    """`http.*` from arguments `url` and `method` (GET when there is none)."""
    facts: dict[str, JsonValue] = {}
    method = arguments.get("method", "GET")
    if isinstance(method, str) and 0 < len(method) <= 32 and _METHOD_LETTERS.issuperset(method.upper()):
        facts["http.method"] = method.upper()
    value = arguments.get("url")
    url = parse_url(value, limit) if isinstance(value, str) else None
    if url is not None:
        facts |= {"http.scheme": url.scheme, "http.host": url.host, "http.port": url.port}
        if url.path is not None:
            facts["http.path"] = url.path
    return facts


def _host_and_port(authority: str, default: int) -> tuple[str, int] | None:
    end = authority.rfind("]")
    colon = authority.find(":", end + 1)
    host, digits = (authority, "") if colon < 0 else (authority[:colon], authority[colon + 1 :])
    canonical = canonical_host(host)
    if canonical is None or not (digits.isascii() and (digits.isdigit() or not digits)) or len(digits) > 5:
        return None
    port = int(digits) if digits else default
    return (canonical, port) if 0 < port < 65536 else None


def _path(raw: str) -> str | None:
    """The decoded path with dot segments resolved; None where an escape would change its shape."""
    if not raw:
        return "/"
    lowered = raw.lower()
    if any(escape in lowered for escape in ("%2f", "%5c", "%00", "%25")):
        return None
    pieces = raw.split("%")[1:]
    if any(len(piece) < 2 or not _HEX.issuperset(piece[:2]) for piece in pieces):
        return None
    try:
        decoded = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeError:
        return None
    parts: list[str] = []
    segments = decoded.split("/")[1:]
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if segment in {".", ".."}:
            if segment == ".." and parts:
                parts.pop()
            if last:
                parts.append("")
        else:
            parts.append(segment)
    return "/" + "/".join(parts)
