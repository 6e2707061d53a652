# SPDX-License-Identifier: Apache-2.0
"""The shape of a record: OCSF 1.9, one canonical JSON object a line, our own facts in `unmapped.yett`.

A line ends with its own hash and the hash of the line before it, at fixed places, so that the chain
can be checked on bytes, without parsing:

    {..., "unmapped":{"yett":{"action":..,"event":..,"fields":{..},"hash":"<64>","prev":"<64>"}}}

`hash` is the SHA-256 of the line without its own `"hash"` member. The whole line is what
`canonical_json` gives for the object. This module is pure. It must never let a `Secret` be written.
The log and its verification call it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import yett
from yett.action import AuditRecord, JsonObject, JsonValue, Secret, canonical_json

OCSF_VERSION = "1.9.0"
FIRST_PREVIOUS = "0" * 64
"""What the first record names as the hash before it."""

_PLACE = b'"sequence":0,"uid":""'
_HASH = b',"hash":"'
_PREV = b'","prev":"'
_PREV_ALONE = b',"prev":"'
_END = b'"}}}'
_TAIL = len(_HASH) + 64 + len(_PREV) + 64 + len(_END)
_OWN, _LAST = len(_HASH), 64 + len(_END)
_OURS = b'"unmapped":{"yett":{"action":'

# event: (category, class) of OCSF. API Activity for what happens to a call, Authorize Session for
# what people answer, Application Lifecycle for the gate itself.
_CLASSES = {
    "refusal": (6, 6003),
    "decision": (6, 6003),
    "intent": (6, 6003),
    "outcome": (6, 6003),
    "approval": (3, 3003),
    "system": (6, 6002),
}
_OTHER = 99
_ACTIVITIES = {
    ("approval", "approved"): 1,  # Assign Privileges
    ("system", "log-opened"): 3,  # Start
    ("system", "log-closed"): 4,  # Stop
}
_SUCCESS, _FAILURE, _UNKNOWN = 1, 2, 0
_STATUSES = {
    "allow": _SUCCESS,
    "approved": _SUCCESS,
    "executed": _SUCCESS,
    "ok": _SUCCESS,
    "ask": _OTHER,
    "pending": _OTHER,
    "unknown": _UNKNOWN,
}
_INFORMATIONAL, _LOW, _MEDIUM = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Draft:
    """A record that lacks only its number and its place in the chain."""

    head: bytes
    tail: bytes
    event: str
    action: str

    def seal(self, sequence: int, previous: str, origin: str) -> tuple[bytes, str]:
        """The line (with its newline) and its hash, as number `sequence` after `previous`."""
        place = f'"sequence":{sequence},"uid":"{origin}/{sequence}"'.encode()
        body = self.head + place + self.tail
        own = hashlib.sha256(body + _PREV_ALONE + previous.encode() + _END).hexdigest()
        return body + _HASH + own.encode() + _PREV + previous.encode() + _END + b"\n", own

    @property
    def size(self) -> int:
        """About how many bytes the line will have."""
        return len(self.head) + len(self.tail) + _TAIL + 64


class Link(NamedTuple):
    """What the chain needs of a line, read from its bytes, and whether its hash is right."""

    sequence: int
    previous: str
    hash: str
    intact: bool


def draft(record: AuditRecord, at: float) -> Draft:
    """Shape a record; `at` is Unix seconds.

    Raises:
        ValueError: an event that is none of ours, or a number that JSON has not.
        TypeError: a field that is not JSON.
    """
    if record.event not in _CLASSES:
        raise ValueError(f"{record.event!r} is not an audit event")
    try:
        encoded = canonical_json(_event(record, record.fields, at))
    except TypeError:  # the only reason to look at each value: something that is not JSON is in there
        encoded = canonical_json(_event(record, _without_secrets(record.fields), at))
    head, _, tail = encoded.partition(_PLACE)
    return Draft(head, tail.removesuffix(b"}}}"), record.event, record.action)


def read_link(line: bytes) -> Link | None:
    """The chain's view of a line without its newline, or None when it is not a line of ours."""
    cut = len(line) - _TAIL
    sequence = _number_after(line, b'"sequence":')
    if cut <= 0 or sequence is None or line[cut : cut + _OWN] != _HASH or line[-_LAST - 10 : -_LAST] != _PREV:
        return None
    own, previous = line[cut + _OWN : cut + _OWN + 64], line[-_LAST : -len(_END)]
    computed = hashlib.sha256(b"".join((line[:cut], _PREV_ALONE, previous, _END))).hexdigest()
    claimed = own.decode(errors="replace")
    intact = computed == claimed and line.endswith(_END)
    return Link(sequence, previous.decode(errors="replace"), claimed, intact)


def read_time(line: bytes) -> int | None:
    """The record's time in milliseconds, from the bytes of an intact line."""
    return _number_after(line, b'"time":')


def read_event(line: bytes) -> tuple[str, bytes] | None:
    """The record's event and its action id (as JSON text), from the bytes of an intact line."""
    start = line.find(_OURS)
    middle = line.find(b',"event":"', start)
    end = line.find(b'"', middle + 10)
    if start < 0 or middle < 0 or end < 0:
        return None
    return line[middle + 10 : end].decode(errors="replace"), line[start + len(_OURS) : middle]


def _number_after(line: bytes, name: bytes) -> int | None:
    """The number behind a name. Names in text are escaped, so the first one is the record's own."""
    start = line.find(name) + len(name)
    try:
        return int(line[start : line.index(b",", start)]) if start >= len(name) else None
    except ValueError:
        return None


def _event(record: AuditRecord, fields: JsonObject, at: float) -> JsonObject:
    category, class_ = _CLASSES[record.event]
    state = _state(fields)
    activity = _ACTIVITIES.get((record.event, state), _OTHER)
    status = _status(record.event, state)
    event: JsonObject = {
        "activity_id": activity,
        "activity_name": record.event,
        "actor": _actor(fields),
        "category_uid": category,
        "class_uid": class_,
        "metadata": {
            "correlation_uid": record.action,
            "product": {"name": "Yett", "vendor_name": "Yett", "version": yett.__version__},
            "sequence": 0,
            "uid": "",
            "version": OCSF_VERSION,
        },
        "severity_id": _severity(record.event, status, state),
        "status_id": status,
        "time": round(at * 1000),
        "type_uid": class_ * 100 + activity,
        "unmapped": {"yett": {"action": record.action, "event": record.event, "fields": fields}},
    }
    if category == 6 and class_ == 6003:
        event["api"] = {"operation": _text(fields, "tool"), "request": {"uid": record.action}}
    if source := _text(fields, "source_ip"):
        event["src_endpoint"] = {"ip": source}
    return event


def _state(fields: Mapping[str, JsonValue]) -> str:
    """The one word that says how it went, under the name its event uses for it."""
    return next((text for name in ("effect", "status", "state", "what") if (text := _text(fields, name))), "")


def _status(event: str, state: str) -> int:
    if event in {"intent", "system"}:
        return _SUCCESS
    return _STATUSES.get(state, _FAILURE)


def _severity(event: str, status: int, state: str) -> int:
    if state == "unknown" or state.startswith(("log-cut", "log-recovered")):
        return _MEDIUM
    return _LOW if status == _FAILURE or event == "refusal" else _INFORMATIONAL


def _actor(fields: Mapping[str, JsonValue]) -> JsonObject:
    actor: JsonObject = {"app_name": _text(fields, "agent") or "yett"}
    if principal := _text(fields, "principal"):
        actor["app_uid"] = principal
    if user := _text(fields, "user"):
        actor["user"] = {"name": user}
    if session := _text(fields, "session"):
        actor["session"] = {"uid": session}
    return actor


def _text(fields: Mapping[str, JsonValue], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _without_secrets(value: JsonObject) -> JsonObject:
    """The same fields with each `Secret` as `***`. Types say there is none; a mistake must not leak it."""
    return {str(key): _masked(item) for key, item in value.items()}


def _masked(value: object) -> JsonValue:
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"an audit field holds a {type(value).__name__}, which is not JSON")


__all__ = ["FIRST_PREVIOUS", "Draft", "Link", "draft", "read_event", "read_link", "read_time"]
