# SPDX-License-Identifier: Apache-2.0
"""One strict reading of a URL: what is matched is what is sent.

The result is canonical: parsing its text gives it again. Where browsers and servers are known to
disagree (userinfo, backslashes, escaped dot segments) the URL is refused instead of repaired. Pure:
this never resolves a name. Policy reads a URL with this, egress sends what this read, so that no two
parsers can disagree (law 3).

Source: the WHATWG URL standard for IPv4 numbers, dot segments and percent-encode sets; RFC 3986.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import unquote_to_bytes

import idna

from yett.errors import EgressRefused

DEFAULT_PORTS = {"http": 80, "https": 443}

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_KEPT = _UNRESERVED | frozenset("!$&'()*+,;=:@/%[]|")
_ESCAPE_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """A parsed URL. `path` and `query` are as they go on the wire; the fragment is dropped.

    `address` is set when the host is an address, in whatever spelling it came.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str | None = None
    address: IPv4Address | IPv6Address | None = None

    @property
    def plain_host(self) -> str:
        """The host for comparisons: an IPv4 address inside an IPv6 one is that IPv4 address."""
        mapped = self.address.ipv4_mapped if isinstance(self.address, IPv6Address) else None
        return str(mapped) if mapped is not None else self.host

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def target(self) -> str:
        """The request target: path and query."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    @property
    def text(self) -> str:
        """The whole URL."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def decoded_path(self) -> str:
        """The path as a server sees it that decodes before it routes."""
        return unquote_to_bytes(self.path).decode("utf-8", "replace").replace("\\", "/")


def parse_url(text: str, *, limit: int = 8192) -> Url:
    """Parse an absolute http or https URL of at most `limit` bytes.

    Raises:
        EgressRefused: it is not one, or it can be read in more than one way.
    """
    if len(text.encode("utf-8", "surrogatepass")) > limit:
        raise EgressRefused(f"The URL is longer than {limit} bytes.")
    if _FORBIDDEN.search(text):
        raise EgressRefused("The URL holds a space, a control character or a backslash; percent-encode it.")
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in DEFAULT_PORTS:
        raise EgressRefused("Only absolute http:// and https:// URLs can be sent.")
    rest = rest.partition("#")[0]
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    authority, tail = rest[:end], rest[end:]
    if "@" in authority:
        raise EgressRefused(
            "The URL names a user before the host; remove it. Credentials are added by the gate."
        )
    host, address, port = parse_authority(authority)
    path, question, query = tail.partition("?")
    return Url(
        scheme=scheme,
        host=host,
        port=port or DEFAULT_PORTS[scheme],
        path=_parse_path(path),
        query=_encode(query, "?") if question else None,
        address=address,
    )


def parse_authority(text: str) -> tuple[str, IPv4Address | IPv6Address | None, int | None]:
    """Split `host[:port]` into the canonical host, its address if it is one, and the port.

    Raises:
        EgressRefused: no host, or one that is no name and no address.
    """
    if text.startswith("["):
        inside, closed, after = text[1:].partition("]")
        if not closed or (after and not after.startswith(":")):
            raise EgressRefused("The URL's IPv6 address is not closed by a bracket.")
        try:
            six = IPv6Address(inside if "%" not in inside else "")
        except AddressValueError as error:
            raise EgressRefused("The URL's host is not an IPv6 address.") from error
        return str(six), six, _parse_port(after[1:]) if after else None
    host, colon, port = text.partition(":")
    name = _parse_name(host)
    four = _parse_ipv4(name)
    return str(four) if four else name, four, _parse_port(port) if colon else None


def _parse_port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise EgressRefused("The URL's port is not a number from 1 to 65535.")
    return int(text)


def _parse_name(host: str) -> str:
    """A host name in lower-case ASCII, without the root's dot."""
    if not host.isascii() or "xn--" in host.lower():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise EgressRefused("The URL's host is not a valid international name.") from error
    name = host.lower().removesuffix(".")
    if not name or len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise EgressRefused("The URL's host is not a name that can exist.")
    return name


def _parse_ipv4(name: str) -> IPv4Address | None:
    """The address behind any of the spellings that resolvers take (`0x7f.1`, `2130706433`), or None."""
    parts = name.split(".")
    if not (parts[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", parts[-1])):
        return None
    try:
        numbers = [_ipv4_number(part) for part in parts]
    except ValueError as error:
        raise EgressRefused("The URL's host ends in a number and is not an IPv4 address.") from error
    last = numbers.pop()
    if len(numbers) > 3 or any(n > 255 for n in numbers) or last >= 256 ** (4 - len(numbers)):
        raise EgressRefused("The URL's host ends in a number and is not an IPv4 address.")
    return IPv4Address(last + sum(n << (24 - 8 * at) for at, n in enumerate(numbers)))


def _ipv4_number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if len(part) > 1 and part.startswith("0") else int(part, 10)


def _parse_path(path: str) -> str:
    """Encode, decode what need not be encoded, and resolve dot segments."""
    encoded = _encode(path or "/", "")
    if any(code in encoded for code in ("%00", "%0A", "%0D")):
        raise EgressRefused("The URL's path holds an escaped control character.")
    out: list[str] = []
    segments = encoded.split("/")[1:]
    for at, segment in enumerate(segments):
        last = at == len(segments) - 1
        if segment in {".", ".."}:
            if segment == ".." and out:
                out.pop()
            if last:
                out.append("")
        else:
            out.append(segment)
    result = "/" + "/".join(out)
    _refuse_hidden_dots(result)
    return result


def _refuse_hidden_dots(path: str) -> None:
    """Refuse dot segments that only appear once a server decodes more than it should."""
    text = path
    for _ in range(_ESCAPE_ROUNDS):
        text = unquote_to_bytes(text).decode("latin-1").replace("\\", "/")
        if any(segment.partition(";")[0] in {".", ".."} for segment in text.split("/")):
            raise EgressRefused("The URL's path hides a '..' in escapes; write the path out.")


def _encode(text: str, also: str) -> str:
    """Percent-encode what must be, decode unreserved escapes, and write escapes in upper case."""
    if _BAD_ESCAPE.search(text):
        raise EgressRefused("The URL holds a '%' that starts no escape; write it as %25.")
    kept = _KEPT | frozenset(also)
    try:
        raw = "".join(c if c in kept else "".join(f"%{b:02X}" for b in c.encode()) for c in text)
    except UnicodeEncodeError as error:
        raise EgressRefused("The URL holds text that is not Unicode.") from error

    def canonical(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if character in _UNRESERVED else f"%{match[1].upper()}"

    return _ESCAPE.sub(canonical, raw)
