# SPDX-License-Identifier: Apache-2.0
"""The allow list: which agent may send which method to which host, port and path.

It is asked before any name is resolved, so that a name that is not allowed never leaves as a DNS
question. Pure. Called by `outbound` only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

import re2

from yett.action import Principal
from yett.egress.settings import METHODS, EgressRule
from yett.errors import ConfigurationError, EgressRefused
from yett.url import DEFAULT_PORTS, Url, parse_authority


class _Pattern(Protocol):
    def fullmatch(self, text: str) -> object | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One rule, made ready for matching."""

    rule: EgressRule
    host: str
    below: bool
    ports: frozenset[int]
    paths: tuple[_Pattern, ...]
    private: bool

    def covers_host(self, url: Url) -> bool:
        """Whether the host is the rule's, or has exactly one label in front of it."""
        if self.below:
            return url.address is None and url.host.partition(".")[2] == self.host
        return url.host == self.host

    def covers_port(self, url: Url) -> bool:
        """Whether scheme and port may be used."""
        if url.scheme == "http" and not (self.rule.plain or self.private):
            return False
        return url.port in (self.ports or {DEFAULT_PORTS[url.scheme]})

    def covers_method(self, method: str) -> bool:
        """Whether the method may be used."""
        return method in (self.rule.methods or METHODS)

    def covers_path(self, url: Url) -> bool:
        """Whether the path matches, as it is sent and as a server decodes it, under one pattern."""
        return not self.paths or any(
            pattern.fullmatch(url.path) and pattern.fullmatch(url.decoded_path) for pattern in self.paths
        )

    def covers_principal(self, principal: Principal) -> bool:
        """Whether the rule is for this agent."""
        to = self.rule.to
        return not to or "*" in to or principal.agent in to or bool(to & principal.roles)


class AllowList:
    """The compiled rules. Raises `ConfigurationError` for one that can't be enforced."""

    def __init__(self, rules: Iterable[EgressRule]) -> None:
        self._entries = tuple(_compile(rule, at) for at, rule in enumerate(rules))

    def match(self, url: Url, method: str, principal: Principal) -> Entry:
        """The first entry that allows this request.

        Raises:
            EgressRefused: none does; the text says which part was the first not to fit.
        """
        left = [e for e in self._entries if e.covers_principal(principal) and e.covers_host(url)]
        if not left:
            raise EgressRefused(f"The host {url.host} is not on this agent's egress list.")
        left = [e for e in left if e.covers_port(url)]
        if not left:
            raise EgressRefused(
                f"The egress list allows {url.host}, but not {url.scheme} on port {url.port}."
            )
        left = [e for e in left if e.covers_method(method)]
        if not left:
            raise EgressRefused(f"The egress list allows {url.host}, but not the method {method}.")
        left = [e for e in left if e.covers_path(url)]
        if not left:
            raise EgressRefused(f"The egress list allows {method} to {url.host}, but not this path.")
        return left[0]


def _compile(rule: EgressRule, at: int) -> Entry:
    place = ("egress", "allow", at)
    unknown = rule.methods - METHODS
    if unknown:
        raise ConfigurationError(f"unknown HTTP method {min(unknown)}", path=(*place, "methods"))
    if any(not path.startswith("/") for path in rule.paths):
        raise ConfigurationError("an egress path starts with a slash", path=(*place, "paths"))
    below = rule.host.startswith("*.")
    try:
        host, address, port = parse_authority(rule.host.removeprefix("*."))
    except EgressRefused as error:
        raise ConfigurationError(f"egress host {rule.host!r} is no host", path=(*place, "host")) from error
    if below and (address is not None or "." not in host):
        raise ConfigurationError("'*.' stands before a name of at least two labels", path=(*place, "host"))
    if port is not None and rule.ports:
        raise ConfigurationError("the port is given twice", path=(*place, "ports"))
    return Entry(
        rule=rule,
        host=host,
        below=below,
        ports=frozenset({port}) if port is not None else rule.ports,
        paths=tuple(_glob(path) for path in rule.paths),
        private=rule.private or isinstance(address, IPv4Address | IPv6Address),
    )


def _glob(pattern: str) -> _Pattern:
    """`**` is any text, `*` any text without a slash; everything else stands for itself."""
    parts = ("[^/]*".join(re2.escape(piece) for piece in part.split("*")) for part in pattern.split("**"))
    compiled: _Pattern = re2.compile("(?s)" + ".*".join(parts))
    return compiled
