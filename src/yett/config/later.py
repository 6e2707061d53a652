# SPDX-License-Identifier: Apache-2.0
"""Keys of the design that this version does not enforce. Each is an error, so that none is silently off."""

from __future__ import annotations

from yett.action import JsonObject, JsonValue
from yett.config.document import Document, Path
from yett.errors import ConfigurationError

LATER: dict[tuple[str, ...], str] = {
    ("alerts",): "alerts",
    ("audit", "retention"): "retention of the log",
    ("audit", "sinks"): "export to a SIEM",
    ("approvals", "channels"): "choosing approval channels",
    ("egress", "budgets"): "egress budgets",
    ("egress", "dns"): "DNS budgets",
    ("egress", "tls", "pins"): "SPKI pins",
    ("privacy", "terms"): "own terms",
    ("privacy", "destinations", "*", "restore"): "tokens and their restoring",
}
"""Path in the file (`*` is any key) and what it would do."""


def refuse_later(document: Document) -> None:
    """Raise for the first key that this version would ignore.

    Raises:
        ConfigurationError: with the line and what to do.
    """
    for pattern, what in LATER.items():
        for path in _matches(document.value, pattern, ()):
            raise ConfigurationError(
                document.place(path, f"this version does not enforce {what}; remove the key"), path=path
            )


def _matches(value: JsonValue, pattern: tuple[str, ...], path: Path) -> list[Path]:
    if not pattern:
        return [path]
    if not isinstance(value, dict):
        return []
    head, rest = pattern[0], pattern[1:]
    keys = list(value) if head == "*" else [head] if head in value else []
    return [found for key in keys for found in _matches(value[key], rest, (*path, key))]


__all__ = ["LATER", "JsonObject", "refuse_later"]
