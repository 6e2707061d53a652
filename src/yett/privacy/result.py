# SPDX-License-Identifier: Apache-2.0
"""Every channel of a tool's result, rewritten: content, resources, base64 text, structured content, meta.

Error texts are content. Binary data (images, audio, files) is left as it is; base64 that decodes to
text is looked at as that text, whatever type it claims. Pure; the redactor calls it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace

from yett.action import JsonObject, JsonValue, ToolResult

_BINARY_MEMBERS = {"image": "data", "audio": "data"}


def rewrite_result(
    result: ToolResult, on_object: Callable[[JsonObject, str], JsonObject], on_text: Callable[[str, str], str]
) -> ToolResult:
    """The result with each channel rewritten. Both callables take a value and its JSON pointer."""
    content = tuple(
        _block(block, f"/content/{number}", on_object, on_text) for number, block in enumerate(result.content)
    )
    structured = None if result.structured is None else on_object(result.structured, "/structuredContent")
    return replace(result, content=content, structured=structured, meta=on_object(result.meta, "/_meta"))


def _block(
    block: JsonObject,
    place: str,
    on_object: Callable[[JsonObject, str], JsonObject],
    on_text: Callable[[str, str], str],
) -> JsonObject:
    member = _BINARY_MEMBERS.get(str(block.get("type")))
    if member is not None:
        return _around(block, member, place, on_object, on_text)
    resource = block.get("resource")
    if not isinstance(resource, dict):
        return on_object(block, place)
    rest = on_object({name: value for name, value in block.items() if name != "resource"}, place)
    return {**rest, "resource": _around(resource, "blob", f"{place}/resource", on_object, on_text)}


def _around(
    value: JsonObject,
    member: str,
    place: str,
    on_object: Callable[[JsonObject, str], JsonObject],
    on_text: Callable[[str, str], str],
) -> JsonObject:
    """An object whose `member` is base64."""
    data: JsonValue = value.get(member)
    if not isinstance(data, str):
        return on_object(value, place)
    rest = on_object({name: item for name, item in value.items() if name != member}, place)
    return {**rest, member: _base64(data, f"{place}/{member}", on_text)}


def _base64(data: str, place: str, on_text: Callable[[str, str], str]) -> str:
    try:
        raw = base64.b64decode(data, validate=True)
    except binascii.Error:
        return on_text(data, place)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return data
    seen = on_text(text, place)
    return data if seen == text else base64.b64encode(seen.encode()).decode()


__all__ = ["rewrite_result"]
