# SPDX-License-Identifier: Apache-2.0
"""Turns what an upstream says of a tool into a definition that is safe to show, or says why not.

An upstream is hostile until shown otherwise: its words are cleaned of what can't be seen, its schema is
bounded and may point nowhere outside itself, its hints are kept as hints. Pure. Called by `connection`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for

from yett.action import UNTRUSTED, JsonObject, JsonValue, ToolDefinition
from yett.errors import UpstreamError
from yett.upstreams.names import encode_name, is_invisible, visible
from yett.upstreams.settings import UpstreamLimits, UpstreamSpec

_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_TITLE = 256
_PROSE = frozenset({"title", "description", "$comment"})
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})


def definition_of(tool: JsonObject, spec: UpstreamSpec, limits: UpstreamLimits) -> ToolDefinition:
    """The definition of one entry of `tools/list`, as it came over the wire.

    Raises:
        UpstreamError: it can't be served; the text names the tool and the reason.
    """
    original = tool.get("name")
    if not isinstance(original, str) or not original:
        raise UpstreamError(f"{spec.name}: a tool without a name")
    prefix = spec.name if spec.prefix is None else spec.prefix
    name = (f"{prefix}__" if prefix else "") + encode_name(original)
    if len(name) > limits.name_length:
        raise UpstreamError(f"{spec.name}: a tool's name is longer than {limits.name_length} characters")
    annotations = tool.get("annotations")
    hints = annotations if isinstance(annotations, dict) else {}
    title = tool.get("title") or hints.get("title")
    shown: JsonObject = {key: hints[key] for key in _HINTS if isinstance(hints.get(key), bool)}
    description = tool.get("description")
    output = tool.get("outputSchema")
    return ToolDefinition(
        name=name,
        title=visible(title, _TITLE) if isinstance(title, str) else "",
        description=visible(description, limits.description_length) if isinstance(description, str) else "",
        input_schema=_schema(tool.get("inputSchema"), name, limits),
        output_schema=None if output is None else _schema(output, name, limits),
        annotations=shown,
        origin=spec.name,
        target=f"upstream:{spec.name}",
        result_labels=frozenset() if spec.result == "trusted" else frozenset({UNTRUSTED}),
        timeout=spec.timeout,
    )


def _schema(schema: JsonValue, name: str, limits: UpstreamLimits) -> JsonObject:
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise UpstreamError(f"{name}: its schema is not one of an object")
    if _depth(schema, limits.schema_depth) < 0:
        raise UpstreamError(f"{name}: its schema is deeper than {limits.schema_depth}")
    if len(json.dumps(schema, ensure_ascii=False).encode("utf-8", "replace")) > limits.schema_bytes:
        raise UpstreamError(f"{name}: its schema is larger than {limits.schema_bytes} bytes")
    clean = _clean(schema, name, limits)
    if not isinstance(clean, dict):
        raise UpstreamError(f"{name}: its schema is not an object")
    try:
        validator_for(clean, default=Draft202012Validator).check_schema(clean)
    except SchemaError as error:
        raise UpstreamError(f"{name}: its schema is not valid JSON Schema") from error
    return {**clean, "type": "object"}


def _clean(value: JsonValue, name: str, limits: UpstreamLimits, key: str = "") -> JsonValue:
    """Prose is cleaned; what arguments are compared with has to be visible as it is."""
    if isinstance(value, str):
        if key in _PROSE:
            return visible(value, limits.description_length)
        if key in _REFERENCES and not value.startswith("#"):
            raise UpstreamError(f"{name}: its schema refers to something outside itself")
        _refuse_invisible(value, name)
        return value
    if isinstance(value, list):
        return [_clean(item, name, limits) for item in value]
    if isinstance(value, dict):
        for inner in value:
            _refuse_invisible(inner, name)
        return {inner: _clean(item, name, limits, inner) for inner, item in value.items() if inner != "$id"}
    return value


def _refuse_invisible(text: str, name: str) -> None:
    if any(is_invisible(character) for character in text if character not in "\n\t"):
        raise UpstreamError(f"{name}: its schema compares with invisible characters")


def _depth(value: JsonValue, left: int) -> int:
    """How many levels are left below the deepest one; negative when there are too many."""
    if left < 0:
        return left
    return min((_depth(item, left - 1) for item in _items(value)), default=left)


def _items(value: JsonValue) -> Iterator[JsonValue]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
