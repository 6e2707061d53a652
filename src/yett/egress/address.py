# SPDX-License-Identifier: Apache-2.0
"""Which addresses a request may reach, and how a name becomes addresses.

Every answer of a name has to pass: one private address among public ones refuses the name, so that an
attacker's resolver has nothing to choose from. Called by `outbound`, after the allow list.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

import anyio

from yett.errors import EgressRefused, ExecutionError

Address: TypeAlias = IPv4Address | IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""Turns a host name and a port into the texts of its addresses."""

_UNICAST = IPv6Network("2000::/3")  # all that is assigned for the public Internet (RFC 4291)
_NAT64 = IPv6Network("64:ff9b::/96")
_NEVER = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local: the metadata service of AWS, GCP, Azure, OpenStack
        "fe80::/10",
        "fd00:ec2::254/128",  # AWS
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's wire server, a public address
        "192.0.0.192/32",  # Oracle
    )
)
_PRIVATE = tuple(
    ip_network(text)
    for text in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "::1/128",
        "fc00::/7",
    )
)


async def resolve_with_system(host: str, port: int) -> tuple[str, ...]:
    """Ask the system's resolver.

    Raises:
        ExecutionError: there is no such name, or the resolver failed.
    """
    try:
        answers = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ExecutionError(f"The name {host} could not be resolved.") from error
    return tuple(dict.fromkeys(str(answer[4][0]) for answer in answers))


def checked_addresses(host: str, answers: tuple[str, ...], *, private: bool) -> tuple[Address, ...]:
    """The answers as addresses, all of them fit to be connected to.

    `private` says that the operator named this host as one that may be private.

    Raises:
        EgressRefused: one of them is not.
        ExecutionError: there is none.
    """
    addresses = tuple(_parse(host, answer) for answer in answers)
    if not addresses:
        raise ExecutionError(f"The name {host} has no address.")
    for address in addresses:
        if not _may_connect(address, private=private):
            raise EgressRefused(
                f"{host} leads to an address that is private or reserved. "
                "Only public addresses can be reached, unless the operator names the host as private."
            )
    return addresses


def _parse(host: str, answer: str) -> Address:
    try:
        return ip_address(answer)
    except ValueError as error:
        raise EgressRefused(f"The resolver's answer for {host} is not an address.") from error


def _may_connect(address: Address, *, private: bool) -> bool:
    """Whether the address and every IPv4 address inside it may be reached."""
    inner = _embedded(address)
    if inner and not all(_is_reachable(each, private=private) for each in inner):
        return False
    return _is_mapped(address) or _is_reachable(address, private=private)


def _is_reachable(address: Address, *, private: bool) -> bool:
    if address.is_multicast or address.is_unspecified or any(address in network for network in _NEVER):
        return False
    if isinstance(address, IPv6Address) and address.scope_id:
        return False
    if isinstance(address, IPv6Address) and not (address in _UNICAST or address in _NAT64):
        return private and any(address in network for network in _PRIVATE)
    return address.is_global or (private and any(address in network for network in _PRIVATE))


def _is_mapped(address: Address) -> bool:
    """Whether the kernel treats this IPv6 address as the IPv4 one inside it."""
    return isinstance(address, IPv6Address) and address.ipv4_mapped is not None


def _embedded(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses inside an IPv6 one: mapped, compatible, 6to4, Teredo and NAT64."""
    if isinstance(address, IPv4Address):
        return ()
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
        found.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(inner for inner in found if inner is not None)
