# SPDX-License-Identifier: Apache-2.0
"""The settings of the way out: who may send what to where, and every limit on it.

Plain values; `app` fills them from `yett.yaml`. Nothing here touches a network. The defaults are the
safe ones: nothing is allowed, TLS 1.3 is demanded, private addresses are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from yett.action import Secret

TlsVersion: TypeAlias = Literal["1.2", "1.3"]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The methods that exist for an agent. CONNECT and TRACE never leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressRule:
    """One entry of the allow list: a host, and what may be sent to it.

    `host` is a name, an address, or `*.name` for exactly one more label; it may carry a port
    (`127.0.0.1:9000`), which then is the only one. `ports` empty means 443 for https and 80 for http.
    `methods` and `paths` empty mean all. In `paths`, `*` stays inside one segment and `**` does not.
    `to` holds roles and agent names; empty means every agent. `private` lets the name lead to a
    private or loopback address; an address written out as `host` needs no such word. `plain` lets
    unencrypted http pass, which private hosts may use anyway. `tls_min` overrides the setting.
    """

    host: str
    ports: frozenset[int] = frozenset()
    methods: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    to: frozenset[str] = frozenset()
    private: bool = False
    plain: bool = False
    tls_min: TlsVersion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressCredential:
    """A header that the gate adds at the edge, for one host. The agent never sees `value`."""

    header: str
    value: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressLimits:
    """Upper bounds of one request. Times are seconds, sizes bytes.

    A caller may ask for less than `timeout` and `response_bytes`, never for more. `addresses` is how
    many of a name's checked addresses are tried. `idle` is how long a program's connection may be silent
    between requests, `connection` how long it may last, `requests` how many of an agent's programs' requests
    are read, decided and answered at a time.
    """

    timeout: float = 60.0
    resolve_timeout: float = 5.0
    connect_timeout: float = 5.0
    idle: float = 60.0
    requests: int = 16
    connection: float = 600.0
    url_bytes: int = 8192
    request_bytes: int = 1 << 20
    request_headers: int = 64
    request_header_bytes: int = 16 << 10
    response_bytes: int = 8 << 20
    response_headers: int = 128
    response_header_bytes: int = 32 << 10
    addresses: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressSettings:
    """Everything the way out needs to know.

    `credentials` maps a host (or `host:port` where the port is not 443) to what is put in for it.
    `ca_file` replaces the system's certificate authorities.
    """

    allow: tuple[EgressRule, ...] = ()
    tls_min: TlsVersion = "1.3"
    credentials: Mapping[str, EgressCredential] = field(default_factory=dict)
    limits: EgressLimits = field(default_factory=EgressLimits)
    ca_file: str | None = None
