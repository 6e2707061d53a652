# SPDX-License-Identifier: Apache-2.0
"""The limits of both edges. Plain values; `joining.py` fills them from `yett.yaml`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Limits of the HTTP edge. `hosts` are the names a client may use, each `name` or `name:port`.

    `body` is how many seconds a client may take to send a message, `session_idle` those after which an
    unused session ends.
    """

    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    max_body: int = 4 << 20
    max_depth: int = 64
    max_sessions: int = 1000
    max_sessions_per_agent: int = 100
    session_idle: float = 1800.0
    body: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StdioSettings:
    """Limits of a shim's connection: bytes of a line, JSON levels, seconds until the hello and for a send."""

    max_line: int = 4 << 20
    max_depth: int = 64
    hello: float = 10.0
    send: float = 5.0
