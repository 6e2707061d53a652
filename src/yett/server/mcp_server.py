# SPDX-License-Identifier: Apache-2.0
"""The MCP face of the gate: one low-level server for both protocol eras and every transport.

It turns a message into a `Request`, hands it to `Gate.pass_` and turns the `Reply` into MCP. It
decides nothing, runs nothing and keeps no state of a call. Transports attach the `Arrival` to each
message; without one there is no identity, and so no action.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import anyio
import mcp.types as t
import structlog
from mcp import MCPError
from mcp.server import Server, ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.server.lowlevel import NotificationOptions
from mcp.server.models import InitializationOptions
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError
from starlette.requests import Request as HttpRequest

from yett.action import (
    Arrival,
    ElicitationAnswer,
    JsonObject,
    Kind,
    Question,
    Request,
    Tell,
    ToolDefinition,
    ToolResult,
    Transport,
)
from yett.errors import BadRequest, Unauthenticated
from yett.ports import Catalog, Decide, Gate, Identify

ARRIVAL = "yett.arrival"
"""Where the HTTP transport puts the `Arrival` in the ASGI scope."""

RECORDED = "yett.recorded"
"""Set in the ASGI scope when the refusal of a message is in the log already."""

APPROVAL = "approval"
TELLING_DEADLINE = 2.0
"""Seconds that a handshake client may take to accept a notice."""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "decision": {"type": "string", "enum": ["deny", "approve"], "title": "Decision"},
    },
    "required": ["decision"],
}
INSTRUCTIONS = (
    "Every call passes a gate: policy decides, a person may be asked, the call runs in a sandbox and is"
    " recorded. A denial names its rule and what to do instead; do not repeat a denied call unchanged."
    " If a call is pending approval, call it again with the same arguments later, or use approval_status."
)

Context = ServerRequestContext[Any, Any]

log = structlog.get_logger("yett.server")


class McpServer:
    """Builds the SDK's server over the gate."""

    def __init__(
        self,
        *,
        gate: Gate,
        identify: Identify,
        catalog: Catalog,
        decide: Decide,
        state_key: bytes,
        version: str,
    ) -> None:
        """`state_key` seals the state of multi-round-trip requests; it survives restarts."""
        self._gate = gate
        self._identify = identify
        self._catalog = catalog
        self._decide = decide
        self._bus = InMemorySubscriptionBus()
        self._legacy: dict[int, Any] = {}
        self.server: Server[Any] = Server(
            "yett",
            version=version,
            title="Yett",
            instructions=INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_subscriptions_listen=ListenHandler(self._bus),
            get_tool_input_schema=self._input_schema,
        )
        security = RequestStateSecurity(keys=[state_key], ttl=900, bind_principal=_principal, audience="yett")
        self.server.middleware.append(self._recorded)
        self.server.middleware.append(RequestStateBoundary(security, default_audience="yett"))

    def initialization_options(self) -> InitializationOptions:
        """What a handshake announces."""
        return self.server.create_initialization_options(NotificationOptions(tools_changed=True))

    async def tools_changed(self) -> None:
        """Tell every client that the list may differ now; one that does not read is not waited for."""
        await self._bus.publish(ToolsListChanged())
        async with anyio.create_task_group() as tellings:
            for session in list(self._legacy.values()):
                tellings.start_soon(_tell, session)

    async def _recorded(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """Record what the protocol refuses: an unknown method, wrong parameters, a forged request state."""
        try:
            return await call_next(ctx)
        except (MCPError, ValidationError) as error:
            why = error.message if isinstance(error, MCPError) else "invalid request parameters"
            await self._gate.refuse(arrival_of(ctx), BadRequest.rule, f"{ctx.method[:64]}: {why}")
            if isinstance(ctx.request, HttpRequest):
                ctx.request.scope[RECORDED] = True
            raise

    def _input_schema(self, name: str) -> JsonObject | None:
        tool = self._catalog.find(name)
        return tool.input_schema if tool else None

    async def _list_tools(self, ctx: Context, params: t.PaginatedRequestParams | None) -> t.ListToolsResult:
        del params  # one page: the list is bounded by configuration
        try:
            principal = await self._identify.identify(arrival_of(ctx))
        except Unauthenticated as error:
            raise MCPError(code=t.INVALID_REQUEST, message=error.public()) from error
        self._remember(ctx)
        tools = [_listed(tool) for tool in self._catalog.all() if self._decide.may_see(principal, tool)]
        return t.ListToolsResult(tools=tools, ttl_ms=0, cache_scope="private")

    def _remember(self, ctx: Context) -> None:
        """Keep handshake sessions for list_changed.

        The SDK has no public registry of connections, so its private handle is used, here only.
        """
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            return
        connection = ctx.session._connection  # noqa: SLF001
        if id(connection) not in self._legacy:
            self._legacy[id(connection)] = ctx.session
            connection.exit_stack.callback(self._legacy.pop, id(connection), None)

    async def _call_tool(
        self, ctx: Context, params: t.CallToolRequestParams
    ) -> t.CallToolResult | t.InputRequiredResult:
        arrival = arrival_of(ctx)
        modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        request = Request(
            kind=Kind.TOOL,
            name=params.name,
            arguments=params.arguments or {},
            arrival=arrival,
            answer=_answer(params) if modern else None,
            tell=_teller(ctx, params),
        )
        dialogue = LegacyDialogue(ctx) if arrival.can_elicit and not modern else None
        reply = await self._gate.pass_(request, dialogue)
        if reply.question is not None:
            return _input_required(reply.question)
        if reply.result is None:
            raise MCPError(code=t.INTERNAL_ERROR, message="the gate gave no answer")
        return _result(reply.result)


class LegacyDialogue:
    """Elicitation of the handshake eras: a live request to the client (`ports.Dialogue`)."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    async def ask(self, question: Question) -> ElicitationAnswer | None:
        """Show the question. Anything but an explicit choice is no answer."""
        try:
            # Without the related id the request goes to a stream that clients may not have opened.
            said = await self._ctx.session.elicit_form(
                question.message, SCHEMA, related_request_id=self._ctx.request_id
            )
        except MCPError:
            return None
        return ElicitationAnswer(nonce=question.nonce, approve=_choice(said))


def _teller(ctx: Context, params: t.CallToolRequestParams) -> Tell | None:
    """Progress for a client that gave a token for it; both eras carry it beside the answer."""
    if not params.meta or params.meta.get("progress_token") is None:
        return None

    async def tell(seconds: float, message: str) -> None:
        try:
            await ctx.session.report_progress(seconds, message=message)
        except (MCPError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            log.info("a client was gone before it could be told of progress")

    return tell


async def _tell(session: Any) -> None:
    try:
        with anyio.move_on_after(TELLING_DEADLINE):
            await session.send_tool_list_changed()
    except (MCPError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        log.info("a client was gone before it could be told of new lists")


def arrival_of(ctx: Context) -> Arrival:
    """The transport's word on a message, completed with what the client declared."""
    carried = ctx.request
    if isinstance(carried, HttpRequest):
        carried = carried.scope.get(ARRIVAL)
    if not isinstance(carried, Arrival):
        return Arrival(transport=Transport.INTERNAL)
    capabilities = ctx.session.client_capabilities
    client = ctx.session.client_params.client_info if ctx.session.client_params else None
    return Arrival(
        transport=carried.transport,
        credential=carried.credential,
        source_ip=carried.source_ip,
        client=f"{client.name}/{client.version}" if client else "",
        protocol=ctx.protocol_version,
        can_elicit=capabilities is not None and capabilities.elicitation is not None,
    )


def _principal(ctx: Context) -> str | None:
    """Binds sealed request state to the credential that it was sealed for."""
    credential = arrival_of(ctx).credential
    return hashlib.sha256(credential.reveal().encode()).hexdigest() if credential else None


def _answer(params: t.CallToolRequestParams) -> ElicitationAnswer | None:
    """The answer in a retry. The boundary has verified the state; the nonce inside is one-shot."""
    if not params.request_state:
        return None  # an answer without a question of ours is ignored: it is how approvals are forged
    nonce = str(json.loads(params.request_state).get("nonce", ""))
    said = (params.input_responses or {}).get(APPROVAL)
    return ElicitationAnswer(nonce=nonce, approve=_choice(said))


def _choice(said: object) -> bool | None:
    if not isinstance(said, t.ElicitResult) or said.action != "accept":
        return None
    decision = (said.content or {}).get("decision")
    return {"approve": True, "deny": False}.get(str(decision))


def _input_required(question: Question) -> t.InputRequiredResult:
    form = t.ElicitRequestFormParams(message=question.message, requested_schema=SCHEMA)
    return t.InputRequiredResult(
        input_requests={APPROVAL: t.ElicitRequest(params=form)},
        request_state=json.dumps({"nonce": question.nonce}),
    )


def _listed(tool: ToolDefinition) -> t.Tool:
    listed: JsonObject = {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "annotations": tool.annotations,
    }
    if tool.title:
        listed["title"] = tool.title
    if tool.output_schema is not None:
        listed["outputSchema"] = tool.output_schema
    return t.Tool.model_validate(listed, by_name=False)


def _result(result: ToolResult) -> t.CallToolResult:
    shaped: dict[str, Any] = {"content": list(result.content), "isError": result.is_error}
    if result.structured is not None:
        shaped["structuredContent"] = result.structured
    if result.meta:
        shaped["_meta"] = result.meta
    return t.CallToolResult.model_validate(shaped, by_name=False)
