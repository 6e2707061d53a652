# SPDX-License-Identifier: Apache-2.0
"""A record as one line for a person: when, which, what happened, who, and how it went.

Pure. Text of agents and servers is in records: a control character of theirs must never reach a
terminal. `yett audit tail` calls this; `--json` shows everything.
"""

from __future__ import annotations

from datetime import UTC, datetime

from yett.action import JsonObject, JsonValue

DESCRIBE_LIMIT = 400
"""So many characters a description has at most."""

_CALL = ("agent", "tool", "effect", "status", "rule", "detail")
_SAID: dict[str, tuple[str, ...]] = {
    "decision": _CALL,
    "intent": ("agent", "tool", "rule", "approval"),
    "outcome": ("agent", "tool", "status", "detail"),
    "refusal": ("transport", "source_ip", "tool", "rule", "reason"),
    "approval": ("agent", "tool", "state", "by", "approval"),
    "system": ("what", "name", "by", "reason", "digest"),
}
_UNKNOWN = (*_CALL, "state", "what", "reason")


def describe(record: JsonObject) -> str:
    """One line, at most `DESCRIBE_LIMIT` characters, all of them printable."""
    own = _object(_object(record.get("unmapped")).get("yett"))
    fields = _object(own.get("fields"))
    event = str(own.get("event", ""))
    said = [str(fields[name]) for name in _SAID.get(event, _UNKNOWN) if fields.get(name)]
    findings = fields.get("findings")
    if isinstance(findings, list) and findings:
        said.append("found " + ", ".join(sorted({str(_object(f).get("entity")) for f in findings})))
    words = [
        _moment(record.get("time")),
        f"#{_object(record.get('metadata')).get('sequence')}",
        f"{event:<8}" if event else "",
        _short(str(own.get("action", ""))),
        *said,
    ]
    line = "  ".join(word for word in words if word)[:DESCRIBE_LIMIT]
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)


def _moment(at: JsonValue) -> str:
    if not isinstance(at, int):
        return ""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(sep=" ", timespec="milliseconds").split("+")[0]


def _short(action: str) -> str:
    """The end of an id: enough to see which lines belong together."""
    return f"~{action[-6:]}" if len(action) > 6 else action


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}
