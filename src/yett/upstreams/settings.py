# SPDX-License-Identifier: Apache-2.0
"""The settings of the upstream MCP servers. Plain values; `app` fills them from `yett.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from yett.action import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSpec:
    """One upstream: a program on this host (`command`) or a URL, never both.

    `env` is the program's whole environment. `credentials` is the value of the header
    `credential_header` and is sent to `url` only; it is the gate's own, never a caller's.
    `result` says whether results are labelled untrusted. `prefix` stands before tool names with two
    underscores; None means the name, and empty means none. `timeout` bounds one call, in seconds.
    """

    name: str
    command: tuple[str, ...] = ()
    url: str = ""
    env: Mapping[str, str | Secret] = field(default_factory=dict)
    cwd: str = "/"
    credentials: Secret | None = None
    credential_header: str = "Authorization"
    result: Literal["untrusted", "trusted"] = "untrusted"
    mode: Literal["auto", "legacy"] = "auto"
    prefix: str | None = None
    timeout: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamLimits:
    """Upper bounds of one upstream. Times are seconds, sizes bytes.

    `connect_timeout` covers start, handshake and the list of tools. After a failure the next attempt
    waits `backoff`, doubled each time up to `backoff_max`; a call in between cuts the wait to `backoff`.
    `probe_timeout` is how long a connection may be silent after a call timed out before it is replaced.
    """

    connect_timeout: float = 30.0
    stop_timeout: float = 3.0
    probe_timeout: float = 5.0
    backoff: float = 0.5
    backoff_max: float = 60.0
    relist_interval: float = 1.0
    message_bytes: int = 4 << 20
    garbage_lines: int = 100
    result_bytes: int = 2 << 20
    content_blocks: int = 256
    tools: int = 500
    pages: int = 50
    listing_bytes: int = 4 << 20
    name_length: int = 128
    description_length: int = 8_192
    schema_bytes: int = 64 << 10
    schema_depth: int = 32
    in_flight: int = 32
