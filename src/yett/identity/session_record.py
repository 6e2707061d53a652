# SPDX-License-Identifier: Apache-2.0
"""A session as it is kept and listed. Pure. Used by `sessions.py`, the console and the command line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, cast

from yett.action import JsonObject, Label
from yett.errors import EnvironmentFault


class SessionState(StrEnum):
    """Live takes calls; frozen and killed refuse them; ended has a successor at the next call."""

    LIVE = "live"
    FROZEN = "frozen"
    KILLED = "killed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """One session. `number` orders sessions whatever the clock did. Times are Unix seconds."""

    id: str
    number: int
    lineage: str
    agent: str
    user: str | None
    labels: frozenset[Label]
    opened_at: float
    last_seen: float
    state: SessionState = SessionState.LIVE


def to_document(record: SessionRecord) -> JsonObject:
    """The JSON document of a session."""
    return {**asdict(record), "labels": [*sorted(record.labels)], "state": record.state.value}


def from_document(document: JsonObject) -> SessionRecord:
    """The session of a JSON document.

    Raises:
        EnvironmentFault: the store holds something else.
    """
    loose = cast("dict[str, Any]", document)
    try:
        labels, state = frozenset[str](loose["labels"]), SessionState(loose["state"])
        return SessionRecord(**{**loose, "labels": labels, "state": state})
    except (KeyError, TypeError, ValueError) as problem:
        raise EnvironmentFault(
            "a stored session can't be read", advice="Restore the state file from a backup."
        ) from problem
