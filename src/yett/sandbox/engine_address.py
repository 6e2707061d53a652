# SPDX-License-Identifier: Apache-2.0
"""Where a container engine listens, as the settings say it. Pure.

Whoever can speak to an engine owns its machine, so plain TCP goes to loopback only. `settings.py` checks with
it, `attach_transport.py` dials with it.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from yett.errors import ConfigurationError

_PORT = 2375


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAddress:
    """Either the path of a unix socket, or a loopback host and a port."""

    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, url: str) -> EngineAddress:
        """Read `unix:///path` or `tcp://host:port`.

        Raises:
            ConfigurationError: another scheme, no path, a host that is not loopback.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or _PORT
        except ValueError:
            raise _wrong(url, "is no address") from None
        if parts.scheme == "unix" and not parts.netloc and parts.path.startswith("/"):
            return cls(path=parts.path)
        if parts.scheme != "tcp" or not host:
            raise _wrong(url, "is neither unix:///path nor tcp://host:port")
        if not _loopback(host):
            raise _wrong(url, "is plain TCP to another machine: anyone on the way would own that engine")
        return cls(host=host, port=port)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wrong(url: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"sandbox engine {url!r} {why}",
        path=("engine",),
        advice="Name a socket of this machine, as unix:///var/run/docker.sock; forward a remote engine's to "
        "one with `ssh -L /run/user/1000/engine.sock:/var/run/docker.sock HOST`.",
    )
