# SPDX-License-Identifier: Apache-2.0
"""The `http_request` tool: one HTTP request through egress, shown as text.

A redirect is never followed in place. Each hop goes back through the gate as an action of its own,
with this call as its parent, so that it is decided on, redacted and recorded like the first. The tool
opens no socket; the `Outbound` port does. Called by the executor.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urldefrag, urljoin, urlsplit

from yett.action import Arrival, Authorized, JsonObject, Kind, Request, ToolDefinition, ToolResult, Transport
from yett.errors import ExecutionError
from yett.ports import Gate, HttpRequest, HttpResponse, Outbound

NAME = "http_request"

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SHOWN = frozenset(
    {
        "allow", "cache-control", "content-disposition", "content-language", "content-type", "date", "etag",
        "expires", "last-modified", "link", "location", "retry-after", "server", "www-authenticate",
        "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-request-id",
    }
)  # fmt: skip
_KEPT_ACROSS_ORIGINS = frozenset(
    {"accept", "accept-language", "content-language", "content-type", "range", "user-agent"}
)
_TEXT_TYPES = (
    "text/",
    "application/json",
    "application/xml",
    "application/javascript",
    "application/x-www-form",
)
_BODIES = frozenset({"body", "json", "body_base64"})
"""The arguments that give the body; one of them at most."""
_CHARSETS = frozenset(
    {
        "ascii", "us-ascii", "utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "shift_jis", "euc-jp",
        "iso-2022-jp", "gbk", "gb2312", "gb18030", "big5", "euc-kr", "koi8-r", "koi8-u",
        *(f"iso-8859-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)),
        *(f"windows-125{n}" for n in range(9)),
    }
)  # fmt: skip
"""The character sets that are decoded. Python knows more codecs, some of them slow on hostile input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequestSettings:
    """Limits of the tool. Times are seconds, sizes bytes.

    `redirects` is the default for a call, `redirects_max` what a call may ask for.
    """

    timeout: float = 30.0
    timeout_max: float = 60.0
    redirects: int = 5
    redirects_max: int = 10
    response_bytes: int = 1 << 20


class HttpRequestTool:
    """The `Tool` port.

    Args:
        outbound: The way out.
        gate: Gives the gate when it is needed; the gate is built after its tools.
        settings: Limits.
    """

    def __init__(
        self, outbound: Outbound, gate: Callable[[], Gate], settings: HttpRequestSettings | None = None
    ) -> None:
        self._outbound = outbound
        self._gate = gate
        self._settings = settings or HttpRequestSettings()
        self.definition = _definition(self._settings)

    async def run(self, call: Authorized) -> ToolResult:
        """Send the request; pass a redirect back through the gate; show the response."""
        arguments = call.action.arguments
        if len(_BODIES & arguments.keys()) > 1:
            return ToolResult.text("Give one of body, json and body_base64.", is_error=True)
        request = self._request(arguments, call.deadline)
        response = await self._outbound.send(request, call.action.principal)
        if call.action.kind is Kind.HTTP:
            return _whole(response)
        location = _header(response, "location")
        hops = arguments.get("max_redirects", self._settings.redirects)
        if response.status in _REDIRECTS and location and isinstance(hops, int) and hops > 0:
            return await self._hop(call, response, location, hops - 1)
        return _shown(request.method, response)

    def _request(self, arguments: JsonObject, deadline: float) -> HttpRequest:
        given = arguments.get("headers") or {}
        headers = [(n, str(v)) for n, v in given.items()] if isinstance(given, dict) else []
        body = str(arguments.get("body", "")).encode()
        if "body_base64" in arguments:
            body = _from_base64(str(arguments["body_base64"]))
        if "json" in arguments:
            body = json.dumps(arguments["json"], ensure_ascii=False, allow_nan=False).encode()
            if all(name.lower() != "content-type" for name, _ in headers):
                headers.append(("Content-Type", "application/json"))
        timeout = arguments.get("timeout", self._settings.timeout)
        return HttpRequest(
            method=str(arguments.get("method", "GET")),
            url=str(arguments["url"]),
            headers=tuple(headers),
            body=body,
            timeout=min(float(timeout) if isinstance(timeout, int | float) else 0.0, deadline),
            limit=self._settings.response_bytes,
        )

    async def _hop(self, call: Authorized, response: HttpResponse, location: str, left: int) -> ToolResult:
        """Hand the redirect's target to the gate as a new action; its reply is ours, a denial too."""
        try:
            arguments = next_arguments(call.action.arguments, response, location, left)
        except ValueError:  # urllib's word for a Location that is no URL
            return ToolResult.text("The response redirects to something that is no URL.", is_error=True)
        reply = await self._gate().pass_(
            Request(
                kind=Kind.TOOL,
                name=NAME,
                arguments=arguments,
                arrival=Arrival(transport=Transport.INTERNAL),
                principal=call.action.principal,
                parent=call.action.id,
            )
        )
        if reply.result is not None:
            return reply.result
        return ToolResult.text(
            f"The response redirects to {_show_url(location)}, which needs an approval of its own. "
            "Request that URL directly.",
            is_error=True,
        )


def next_arguments(arguments: JsonObject, response: HttpResponse, location: str, left: int) -> JsonObject:
    """The arguments of the next hop.

    Source: the Fetch standard, HTTP-redirect fetch: 303 turns into GET, 301 and 302 turn POST into GET.
    Across origins only harmless headers go on.
    """
    url = urldefrag(urljoin(response.url, location)).url
    method = str(arguments.get("method", "GET"))
    status = response.status
    turns_into_get = (status == 303 and method not in {"GET", "HEAD"}) or (
        status in {301, 302} and method == "POST"
    )
    result: JsonObject = {
        key: arguments[key] for key in ("timeout", "headers", *sorted(_BODIES)) if key in arguments
    }
    if turns_into_get:
        method = "GET"
        for key in _BODIES:
            result.pop(key, None)
    headers = result.pop("headers", None)
    if isinstance(headers, dict):
        same = _origin(url) == _origin(response.url)
        kept: JsonObject = {
            name: value
            for name, value in headers.items()
            if (same or name.lower() in _KEPT_ACROSS_ORIGINS)
            and not (turns_into_get and name.lower().startswith("content-"))
        }
        if kept:
            result["headers"] = kept
    return {**result, "url": url, "method": method, "max_redirects": left}


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()


def _header(response: HttpResponse, name: str) -> str:
    return next((value for key, value in response.headers if key.lower() == name), "")


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ExecutionError("body_base64 is not base64.") from None


def _whole(response: HttpResponse) -> ToolResult:
    """The response as a program needs it: every header, and every byte."""
    shown: JsonObject = {
        "status": response.status,
        "headers": [[name, value] for name, value in response.headers],
        "truncated": response.truncated,
    }
    try:
        shown["body"] = response.body.decode()
    except UnicodeDecodeError:
        shown["body_base64"] = base64.b64encode(response.body).decode("ascii")
    return ToolResult(content=(), structured=shown)


def _show_url(text: str) -> str:
    return "".join(c for c in text[:500] if c.isprintable())


def _shown(method: str, response: HttpResponse) -> ToolResult:
    """Status line, telling headers and body; bytes that are no text become a blob."""
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = ""
    lines = [f"HTTP {response.status} {phrase}".rstrip()]
    lines += [f"{name}: {value}" for name, value in response.headers if name.lower() in _SHOWN]
    if response.truncated:
        lines.append(f"(the body is longer; these are its first {len(response.body)} bytes)")
    content_type = _header(response, "content-type")
    text = None if method == "HEAD" else _decoded(response.body, content_type)
    head = "\n".join(lines)
    content: list[JsonObject] = [{"type": "text", "text": f"{head}\n\n{text}" if text else head}]
    if text is None and response.body:
        blob = base64.b64encode(response.body).decode("ascii")
        media = content_type.partition(";")[0].strip() or "application/octet-stream"
        content.append(
            {"type": "resource", "resource": {"uri": response.url, "mimeType": media, "blob": blob}}
        )
    return ToolResult(
        content=tuple(content),
        meta={"yett/http": {"status": response.status, "url": response.url, "truncated": response.truncated}},
    )


def _decoded(body: bytes, content_type: str) -> str | None:
    """The body as text, or None when it is not text."""
    media, _, parameters = content_type.lower().partition(";")
    media = media.strip()
    charset = next(
        (value.strip(" \"'") for key, _, value in (p.partition("=") for p in parameters.split(";"))
         if key.strip() == "charset"),
        "",
    )  # fmt: skip
    if charset in _CHARSETS:
        return body.decode(charset, "replace")
    if media.startswith(_TEXT_TYPES) or media.endswith(("+json", "+xml")):
        return body.decode("utf-8", "replace")
    if media not in {"", "application/octet-stream"} or b"\x00" in body:
        return None
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _definition(settings: HttpRequestSettings) -> ToolDefinition:
    return ToolDefinition(
        name=NAME,
        title="HTTP request",
        description=(
            "Send one HTTP request to a host that this gate's egress list allows. Credentials of allowed "
            "hosts are added by the gate; do not send any. Redirects are checked like new requests."
        ),
        input_schema={
            "type": "object",
            "properties": {
                "url": {"type": "string", "description": "Absolute http or https URL.", "maxLength": 8192},
                "method": {"type": "string", "enum": list(_METHODS), "default": "GET"},
                "headers": {
                    "type": "object",
                    "additionalProperties": {"type": "string"},
                    "description": "Request headers. Host and framing headers are set by the gate.",
                },
                "body": {"type": "string", "description": "The body as text, sent as UTF-8."},
                "json": {"type": "object", "description": "The body as JSON, instead of body."},
                "body_base64": {"type": "string", "description": "The body as base64, instead of body."},
                "timeout": {
                    "type": "number",
                    "exclusiveMinimum": 0,
                    "maximum": settings.timeout_max,
                    "default": settings.timeout,
                    "description": "Seconds for the whole request.",
                },
                "max_redirects": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": settings.redirects_max,
                    "default": settings.redirects,
                },
            },
            "required": ["url"],
            "additionalProperties": False,
        },
        annotations={
            "title": "HTTP request",
            "readOnlyHint": False,
            "destructiveHint": True,
            "idempotentHint": False,
            "openWorldHint": True,
        },
        target="egress",
        timeout=settings.timeout_max * 2,
    )
