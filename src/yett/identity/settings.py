# SPDX-License-Identifier: Apache-2.0
"""What the configuration says of agents and people, and the limits of the identity room.

Plain values with safe defaults; `app.py` fills them in from `yett.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from yett.action import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """One agent of the configuration. `user` is the person on whose behalf it acts, if it is one."""

    roles: frozenset[str] = frozenset()
    attributes: Mapping[str, JsonValue] = field(default_factory=dict)
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptSettings:
    """Failed attempts: at most `limit` in `window` seconds for each source, `sources` remembered."""

    limit: int = 20
    window: float = 60.0
    sources: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    """Who may call. Ids are `spiffe://<trust_domain>/agent/<name>`."""

    trust_domain: str
    agents: Mapping[str, AgentSettings] = field(default_factory=dict)
    attempts: AttemptSettings = field(default_factory=AttemptSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSettings:
    """One person of the configuration."""

    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialSettings:
    """`live_per_name` is how many tokens of one agent or person may be valid at a time."""

    live_per_name: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """Limits of sessions, in seconds where it is time.

    A session that was idle for `idle_limit` is followed by a new one. The last use is written at
    most every `touch_interval`; `clock_skew` is how far the wall clock may go back before a session
    counts as idle; `end_deadline` bounds the teardown of what belonged to a session. `labels` bounds
    the labels of one session, `history` the ended sessions that are kept.
    """

    idle_limit: float = 1800.0
    touch_interval: float = 30.0
    clock_skew: float = 5.0
    end_deadline: float = 20.0
    labels: int = 256
    history: int = 1000
