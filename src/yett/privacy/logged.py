# SPDX-License-Identifier: Apache-2.0
"""How much of a call's arguments stands in the log: enough to read, never enough to fill it.

Pure. The digest of the whole stands beside it, so that nothing is lost to a later proof. Called by
`redactor.py` on arguments that are masked already.
"""

from __future__ import annotations

from yett.action import JsonObject, JsonValue, canonical_json


def withheld(why: str) -> JsonObject:
    """What stands in the log in place of arguments that are not shown."""
    return {"withheld": why}


def short_enough(arguments: JsonObject, text: int, total: int) -> JsonObject:
    """Arguments with every text cut at `text` characters; withheld when they are over `total` bytes."""
    short = {name: _cut(value, text) for name, value in arguments.items()}
    size = len(canonical_json(short))
    return short if size <= total else withheld(f"{size} bytes")


def _cut(value: JsonValue, limit: int) -> JsonValue:
    if isinstance(value, str):
        return value if len(value) <= limit else f"{value[:limit]}... ({len(value)} characters)"
    if isinstance(value, list):
        return [_cut(item, limit) for item in value]
    if isinstance(value, dict):
        return {_name(name, limit): _cut(item, limit) for name, item in value.items()}
    return value


def _name(name: str, limit: int) -> str:
    return name if len(name) <= limit else f"{name[:limit]}..."
