# SPDX-License-Identifier: Apache-2.0
"""JSON as RFC 8259 and I-JSON (RFC 7493) mean it: one reading for every byte string, or none.

Refused: duplicate keys, NaN and infinities (also as `1e999`), lone surrogates, invalid UTF-8, a byte
order mark, more than `max_depth` levels. Two parsers that disagree on a message are how a policy is
walked around, so what this accepts has one meaning. Pure. Called at the edges of `server/`.
"""

from __future__ import annotations

import json
import math
from typing import NoReturn

from yett.action import JsonObject, JsonValue
from yett.errors import BadRequest

MAX_DEPTH = 64


class MessageTooLarge(BadRequest):
    """A message over `listen.max_body`."""

    rule = "gate.message-too-large"


def parse_strict(data: bytes, max_depth: int = MAX_DEPTH) -> JsonValue:
    """Parse one JSON text.

    Raises:
        BadRequest: with the reason, and nothing of the content.
    """
    try:
        text = data.decode("utf-8")
        value: JsonValue = json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite
        )
    except BadRequest:
        raise
    except UnicodeDecodeError as error:
        raise BadRequest(f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise BadRequest(f"not JSON: {error.msg} at character {error.pos}") from error
    except ValueError as error:
        raise BadRequest("a number is too long") from error
    except RecursionError as error:
        raise BadRequest(f"nested deeper than {max_depth} levels") from error
    # Counting brackets is an upper bound of the depth and spares the walk for nearly every message.
    if data.count(b"{") + data.count(b"[") > max_depth and _depth(value) > max_depth:
        raise BadRequest(f"nested deeper than {max_depth} levels")
    if b"\\u" in data:
        _refuse_surrogates(value)
    return value


def parse_strict_object(data: bytes, max_depth: int = MAX_DEPTH) -> JsonObject:
    """`parse_strict` for a text that must be an object."""
    value = parse_strict(data, max_depth)
    if not isinstance(value, dict):
        raise BadRequest("the message must be a JSON object; batches are not served")
    return value


def _object(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadRequest(f"the key {twice[:64]!r} stands twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise BadRequest(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadRequest("a number is too large")
    return value


def _depth(value: JsonValue) -> int:
    deepest = 0
    stack: list[tuple[JsonValue, int]] = [(value, 1)]
    while stack:
        node, depth = stack.pop()
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else None
        if children is not None:
            deepest = max(deepest, depth)
            stack.extend((child, depth + 1) for child in children)
    return deepest


def _refuse_surrogates(value: JsonValue) -> None:
    stack: list[JsonValue] = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            try:
                node.encode()
            except UnicodeEncodeError as error:
                raise BadRequest("a lone surrogate is not text") from error
        elif isinstance(node, dict):
            stack.extend(node)
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
