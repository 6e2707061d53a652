# SPDX-License-Identifier: Apache-2.0
"""Turns an upstream's answer to a call into a result, or says what is wrong with it.

Only the known fields of the known content blocks pass; `_meta` does not. Sizes are bounded. A question
back to the caller (elicitation, sampling) is refused in this version. Pure. Called by `connection`.
"""

from __future__ import annotations

import json

from yett.action import JsonObject, JsonValue, Label, ToolResult
from yett.errors import UpstreamError
from yett.upstreams.settings import UpstreamLimits

_FIELDS = {
    "text": ("text",),
    "image": ("data", "mimeType"),
    "audio": ("data", "mimeType"),
    "resource_link": ("uri", "name"),
    "resource": ("resource",),
}
_OPTIONAL = {"resource_link": ("title", "description", "mimeType", "size")}
_RESOURCE = ("uri", "mimeType", "text", "blob")


def result_of(raw: JsonObject, name: str, labels: frozenset[Label], limits: UpstreamLimits) -> ToolResult:
    """The result of a `tools/call` as it came over the wire; `name` is the upstream's.

    Raises:
        UpstreamError: it is no result, is too large, or asks for input.
    """
    if raw.get("resultType", "complete") == "input_required":
        raise UpstreamError(
            f"The upstream {name} asks for input before it goes on (elicitation or sampling). "
            "This gate does not pass such questions on; give all that the tool needs in its arguments."
        )
    if raw.get("resultType", "complete") != "complete":
        raise UpstreamError(f"The upstream {name} answered with a kind of result that is not supported.")
    try:
        size = len(json.dumps(raw, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass"))
    except (ValueError, TypeError, RecursionError) as error:
        raise UpstreamError(f"The upstream {name} answered with something that is not JSON.") from error
    if size > limits.result_bytes:
        raise UpstreamError(f"The upstream {name} answered with more than {limits.result_bytes} bytes.")
    content, structured = raw.get("content", []), raw.get("structuredContent")
    if not isinstance(content, list) or len(content) > limits.content_blocks:
        raise UpstreamError(f"The upstream {name} answered with content that is no list, or too long a one.")
    if structured is not None and not isinstance(structured, dict):
        raise UpstreamError(f"The upstream {name} answered with structured content that is no object.")
    return ToolResult(
        content=tuple(_block(block, name) for block in content),
        structured=structured,
        is_error=raw.get("isError") is True,
        labels=labels,
    )


def _block(block: JsonValue, name: str) -> JsonObject:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(block, dict) or not isinstance(kind, str) or kind not in _FIELDS:
        raise UpstreamError(f"The upstream {name} answered with content of an unknown kind.")
    if kind == "resource":
        resource = block.get("resource")
        if not isinstance(resource, dict) or not isinstance(resource.get("uri"), str):
            raise UpstreamError(f"The upstream {name} answered with a resource that has no address.")
        kept: JsonObject = {key: resource[key] for key in _RESOURCE if isinstance(resource.get(key), str)}
        return {"type": kind, "resource": kept}
    if not all(isinstance(block.get(key), str) for key in _FIELDS[kind]):
        raise UpstreamError(f"The upstream {name} answered with incomplete content.")
    fields = (*_FIELDS[kind], *_OPTIONAL.get(kind, ()))
    return {"type": kind, **{key: block[key] for key in fields if isinstance(block.get(key), str | int)}}
