# SPDX-License-Identifier: Apache-2.0
"""Hosts and addresses: one canonical spelling, read by the one URL parser (`yett.url`).

`0x7f000001`, `2130706433`, `0177.0.0.1` and `127.1` are all 127.0.0.1, because programs that follow
the WHATWG URL standard connect there. IPv4 in IPv6 (`::ffff:10.0.0.1`) is the IPv4 address. Names are
IDNA A-labels in lower case without the trailing dot.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from yett.errors import EgressRefused
from yett.url import parse_authority

Address: TypeAlias = IPv4Address | IPv6Address

_LONGEST = 1024


def canonical_host(text: str) -> str | None:
    """The canonical host, or None when it is no host, or one that parsers disagree on."""
    read = _read(text)
    if read is None:
        return None
    host, address = read
    return str(_plain(address)) if address is not None else host


def address_of(text: str) -> Address | None:
    """The address that a text names in any spelling that programs accept, or None."""
    read = _read(f"[{text}]" if ":" in text else text)
    return None if read is None or read[1] is None else _plain(read[1])


def _read(text: str) -> tuple[str, Address | None] | None:
    if not text or len(text) > _LONGEST:
        return None
    try:
        host, address, port = parse_authority(text)
    except EgressRefused:
        return None
    return None if port is not None else (host, address)


def _plain(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped if mapped is not None else address
