# SPDX-License-Identifier: Apache-2.0
"""`host_in` and `domain_in`: hosts, URLs and e-mail addresses by name, in canonical spelling.

A name is exact; `*.acme.com` is exactly one more label, as on the egress allow-list. Names and
addresses never stand for one another.
"""

from __future__ import annotations

from dataclasses import dataclass

from yett.action import JsonValue
from yett.policy.constraints.constraint import Place, listing, texts
from yett.policy.facts.hosts import canonical_host
from yett.policy.facts.urls import read_url
from yett.policy.truth import Truth

_NEVER_IN_AN_ADDRESS = frozenset(' \t\r\n\f\v\0<>(),;:\\"[]')


@dataclass(frozen=True, slots=True, kw_only=True)
class HostIn:
    """The host of the value is one of the names. `mail` says whether e-mail addresses are read."""

    name: str
    expected: JsonValue
    shown: tuple[str, ...]
    exact: frozenset[str]
    parents: frozenset[str]
    mail: bool
    limit: int
    each: bool = True

    @property
    def text_only(self) -> bool:
        """2130706433 may be an address, but not an e-mail domain."""
        return self.mail

    def check(self, value: JsonValue) -> Truth:
        """UNKNOWN for what has no host that can be read for certain."""
        host = self._host(value) if isinstance(value, str) else None
        if host is None:
            return Truth.UNKNOWN
        return Truth.of(host in self.exact or host.partition(".")[2] in self.parents)

    def _host(self, value: str) -> str | None:
        if len(value) > self.limit:
            return None
        if "@" in value and self.mail:
            return _domain(value)
        if "://" in value and not self.mail:
            url = read_url(value, self.limit)
            return None if url is None else url.plain_host
        return canonical_host(value)

    def sentence(self) -> str:
        """In words."""
        return f"is {'at' if self.mail else 'on'} {listing(self.shown)}"


def _domain(text: str) -> str | None:
    """The domain of a plain e-mail address: no display name, no quoting, no list."""
    local, _, domain = text.partition("@")
    if not local or "@" in domain or not _NEVER_IN_AN_ADDRESS.isdisjoint(text):
        return None
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        return None
    return canonical_host(domain)


def parse_host_in(expected: JsonValue, place: Place) -> HostIn:
    """`host_in: [api.acme.com, "*.acme.com", 10.0.0.1]`."""
    return _host_in("host_in", expected, place, mail=False)


def parse_domain_in(expected: JsonValue, place: Place) -> HostIn:
    """`domain_in: [acme.com]`."""
    return _host_in("domain_in", expected, place, mail=True)


def _host_in(name: str, expected: JsonValue, place: Place, *, mail: bool) -> HostIn:
    shown = texts(expected, place)
    exact: set[str] = set()
    parents: set[str] = set()
    for text in shown:
        stem = text.removeprefix("*.")
        host = canonical_host(stem)
        if host is None or "*" in stem:
            raise place.wrong(f"{text!r} is no host; write a name, or '*.' and a name for one more label.")
        if stem == text:
            exact.add(host)
        elif host.replace(".", "").isdigit() or ":" in host or "." not in host:
            raise place.wrong(f"{text!r}: '*.' needs a domain of at least two labels after it.")
        else:
            parents.add(host)
    return HostIn(
        name=name,
        expected=expected,
        shown=shown,
        exact=frozenset(exact),
        parents=frozenset(parents),
        mail=mail,
        limit=place.settings.max_url,
    )
