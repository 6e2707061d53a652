# SPDX-License-Identifier: Apache-2.0
"""Hosts and addresses: one canonical spelling, the one that the WHATWG URL standard gives.

`0x7f000001`, `2130706433`, `0177.0.0.1` and `127.1` are all 127.0.0.1, because programs that follow
the standard connect there. IPv4 in IPv6 (`::ffff:10.0.0.1`) is the IPv4 address. Names are IDNA
A-labels in lower case without the trailing dot. Source: https://url.spec.whatwg.org/#host-parsing.
"""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

import idna

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


def canonical_host(text: str) -> str | None:
    """The canonical host, or None when it is no host, or one that parsers disagree on."""
    if text.startswith("[") and text.endswith("]"):
        address = address_of(text[1:-1])
        return str(address) if address is not None and ":" in text else None
    if not text or len(text) > 1024 or "%" in text:
        return None
    name = _to_ascii(text)
    if name is None:
        return None
    if _ends_in_a_number(name):
        number = whatwg_ipv4(name)
        return None if number is None else str(number)
    name = name.removesuffix(".")
    return name if _is_name(name) else None


def address_of(text: str) -> Address | None:
    """The address that a text names in any spelling that programs accept, or None."""
    if "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return whatwg_ipv4(text.lower())
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped if mapped is not None else address


def whatwg_ipv4(text: str) -> ipaddress.IPv4Address | None:
    """The WHATWG IPv4 parser: one to four parts, each decimal, octal (0...) or hexadecimal (0x...)."""
    parts = text.split(".")
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    if len(parts) > 4:
        return None
    numbers = [_number(part) for part in parts]
    total = 0
    for index, number in enumerate(numbers):
        if number is None:
            return None
        if index < len(numbers) - 1:
            if number > 255:
                return None
            total += number << (8 * (3 - index))
        else:
            if number >= 256 ** (5 - len(numbers)):
                return None
            total += number
    return ipaddress.IPv4Address(total)


def _number(part: str) -> int | None:
    if not part or len(part) > 64 or not part.isascii() or not part.isalnum():
        return None
    try:
        if part.startswith(("0x", "0X")):
            return int(part, 16) if len(part) > 2 else 0
        return int(part, 8) if part.startswith("0") and len(part) > 1 else int(part, 10)
    except ValueError:
        return None


def _ends_in_a_number(name: str) -> bool:
    parts = name.split(".")
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    last = parts[-1]
    return last.isdigit() or (last.startswith("0x") and _number(last) is not None)


def _to_ascii(text: str) -> str | None:
    lowered = text.lower()
    if lowered.isascii() and "xn--" not in lowered:
        return lowered
    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        return mapped if mapped.isascii() and "xn--" not in mapped else idna.encode(mapped).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None


def _is_name(name: str) -> bool:
    labels = name.split(".")
    return len(name) <= 253 and all(
        0 < len(label) <= 63 and _NAME_LETTERS.issuperset(label) for label in labels
    )
