# SPDX-License-Identifier: Apache-2.0
"""`eq`, `in`, `not_in`, `exists`: a value is one of some values, or is there at all.

JSON types do not mix: true is not 1, "5" is not 5, and comparing across types is UNKNOWN. In a list
an item written as a network (`10.0.0.0/8`) is compared with addresses in every spelling.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TypeAlias

from yett.action import JsonValue
from yett.policy.constraints.constraint import Place
from yett.policy.constraints.numbers import number_of
from yett.policy.facts.hosts import address_of, canonical_host
from yett.policy.truth import Truth

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

ADDRESS_SUBJECTS = frozenset({"source.ip"})


def same(left: JsonValue, right: JsonValue) -> Truth:
    """Equality of JSON values; UNKNOWN across types and for numbers that are not finite."""
    if isinstance(left, list) and isinstance(right, list):
        pairs = list(zip(left, right, strict=False))
        return _all_same(pairs) if len(left) == len(right) else Truth.FALSE
    if isinstance(left, dict) and isinstance(right, dict):
        pairs = [(left[key], right.get(key)) for key in left]
        return _all_same(pairs) if left.keys() == right.keys() else Truth.FALSE
    if _is_number(left) and _is_number(right):
        return Truth.of(left == right)
    if type(left) is type(right) and not isinstance(left, float):
        return Truth.of(left == right)
    return Truth.UNKNOWN


def _all_same(pairs: list[tuple[JsonValue, JsonValue]]) -> Truth:
    return min((same(a, b) for a, b in pairs), default=Truth.TRUE)


def _is_number(value: JsonValue) -> bool:
    return number_of(value) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """The value is there (or is not). The only constraint that reads absence."""

    wanted: bool
    name: str = "exists"
    each: bool = False
    text_only: bool = False

    @property
    def expected(self) -> JsonValue:
        """As written."""
        return self.wanted

    def check(self, value: JsonValue) -> Truth:
        """Called for values that are there; conditions answer for absence themselves."""
        del value
        return Truth.of(self.wanted)

    def sentence(self) -> str:
        """In words."""
        return "is given" if self.wanted else "is not given"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """The value is (`in`), or is not (`not_in`), one of the given values or in one of the networks."""

    name: str
    expected: JsonValue
    values: tuple[JsonValue, ...]
    networks: tuple[Network, ...]
    negated: bool
    names_are_outside: bool = False
    text_only: bool = False
    each: bool = False

    def check(self, value: JsonValue) -> Truth:
        """Three-valued membership."""
        found = self._member(value)
        return found.negated() if self.negated else found

    def _member(self, value: JsonValue) -> Truth:
        verdicts = [same(value, item) for item in self.values]
        if Truth.TRUE in verdicts:
            return Truth.TRUE
        if self.networks:
            verdicts.append(self._in_networks(value))
        if Truth.TRUE in verdicts:
            return Truth.TRUE
        return Truth.FALSE if Truth.FALSE in verdicts and self._readable(value) else Truth.UNKNOWN

    def _readable(self, value: JsonValue) -> bool:
        return not self.networks or self._in_networks(value) is not Truth.UNKNOWN

    def _in_networks(self, value: JsonValue) -> Truth:
        address = address_of(value.strip("[]")) if isinstance(value, str) else None
        if address is None:
            return Truth.FALSE if self.names_are_outside else Truth.UNKNOWN
        return Truth.of(any(address.version == net.version and address in net for net in self.networks))

    def sentence(self) -> str:
        """In words."""
        shown = ", ".join(str(item) for item in (*self.values, *self.networks))
        many = len(self.values) + len(self.networks) > 1
        return f"is {'not ' if self.negated else ''}{'one of ' if many else ''}{shown}"


def parse_exists(expected: JsonValue, place: Place) -> Exists:
    """`exists: true` or `exists: false`."""
    if not isinstance(expected, bool):
        raise place.wrong(f"'exists' takes true or false, not {expected!r}.")
    return Exists(wanted=expected)


def parse_eq(expected: JsonValue, place: Place) -> OneOf:
    """`eq: value`, and a bare scalar."""
    return _one_of("eq", [expected], expected, place, negated=False)


def parse_in(expected: JsonValue, place: Place) -> OneOf:
    """`in: [...]`, and a bare list."""
    return _one_of("in", _nonempty(expected, "in", place), expected, place, negated=False)


def parse_not_in(expected: JsonValue, place: Place) -> OneOf:
    """`not_in: [...]`."""
    return _one_of("not_in", _nonempty(expected, "not_in", place), expected, place, negated=True)


def _nonempty(expected: JsonValue, name: str, place: Place) -> list[JsonValue]:
    if not isinstance(expected, list) or not expected:
        raise place.wrong(f"{name!r} takes a non-empty list, not {expected!r}.")
    return expected


def _one_of(name: str, items: list[JsonValue], expected: JsonValue, place: Place, *, negated: bool) -> OneOf:
    values: list[JsonValue] = []
    networks: list[Network] = []
    for item in items:
        network = _network(item, place)
        if network is not None:
            networks.append(network)
        else:
            values.append(_canonical(item, place))
    return OneOf(
        name=name,
        expected=expected,
        values=tuple(values),
        networks=tuple(networks),
        negated=negated,
        # The fact is canonical, so what is no address there is a name; what a name resolves to is
        # the business of egress.
        names_are_outside=place.subject == "http.host",
    )


def _network(item: JsonValue, place: Place) -> Network | None:
    address_wanted = place.subject in ADDRESS_SUBJECTS
    if not isinstance(item, str) or not (address_wanted or "/" in item):
        if address_wanted:
            raise place.wrong(f"{place.subject} is compared with addresses and networks, not {item!r}.")
        return None
    try:
        network = ipaddress.ip_network(item)
    except ValueError as error:
        if address_wanted:
            raise place.wrong(f"{item!r} is no address or network: {error}.") from None
        return None
    if network.version == 6 and network.network_address.ipv4_mapped is not None:
        raise place.wrong(f"{item!r}: write the IPv4 network itself; mapped addresses are compared as IPv4.")
    return network


def _canonical(item: JsonValue, place: Place) -> JsonValue:
    """Facts have one spelling, so an expectation gets it too; else a deny would silently never match."""
    if not isinstance(item, str):
        return item
    if place.subject == "http.method":
        return item.upper()
    if place.subject == "http.scheme":
        return item.lower()
    if place.subject == "http.host":
        host = canonical_host(item)
        if host is None:
            raise place.wrong(f"{item!r} is no host name or address.")
        return host
    return item
