# SPDX-License-Identifier: Apache-2.0
"""Failed attempts to identify, counted by source in a bounded table.

It exists to keep a flood of wrong credentials from costing more than a look-up each. It is not what
keeps tokens from being guessed (256 random bits are), so a right credential is never locked out by
a neighbour's wrong ones. Called by `agents.py` only.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict

from yett.action import Arrival
from yett.identity.settings import AttemptSettings
from yett.ports import Clock


def source_of(arrival: Arrival) -> str:
    """Who is counted: the IPv4 address, the IPv6 /64 network, or the transport."""
    if arrival.source_ip is None:
        return arrival.transport.value
    try:
        address = ipaddress.ip_address(arrival.source_ip)
    except ValueError:
        return arrival.transport.value
    if isinstance(address, ipaddress.IPv6Address):
        # One customer usually has a whole /64; counting single addresses would count nothing.
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)


class FailedAttempts:
    """A count for each source in a window that starts with its first failure."""

    def __init__(self, clock: Clock, settings: AttemptSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def add(self, source: str) -> bool:
        """Count one more failure, and say whether this source has failed too often."""
        now = self._clock.monotonic()
        started, count = self._counts.pop(source, (now, 0))
        if now - started >= self._settings.window:
            started, count = now, 0
        self._counts[source] = (started, count + 1)
        while len(self._counts) > self._settings.sources:
            self._counts.popitem(last=False)
        return count >= self._settings.limit
