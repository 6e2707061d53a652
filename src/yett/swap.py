# SPDX-License-Identifier: Apache-2.0
"""Doors whose room can be exchanged while calls pass: one reference assignment, no half-built state.

A reload builds and checks the new room first and swaps it in last. A call in flight finishes each
step with the room it entered. Used by `app.py` only.
"""

from __future__ import annotations

from yett.action import (
    Action,
    Decision,
    JsonObject,
    Principal,
    RedactedArguments,
    RedactedResult,
    ToolDefinition,
    ToolResult,
)
from yett.ports import Decide, HttpRequest, HttpResponse, Outbound, Redact


class SwapDecide:
    """`ports.Decide` over the policy of this moment."""

    def __init__(self, current: Decide) -> None:
        self.current = current

    def decide(self, action: Action) -> Decision:
        """As the current policy."""
        return self.current.decide(action)

    def may_see(self, principal: Principal, tool: ToolDefinition) -> bool:
        """As the current policy."""
        return self.current.may_see(principal, tool)


class SwapRedact:
    """`ports.Redact` over the privacy settings of this moment."""

    def __init__(self, current: Redact) -> None:
        self.current = current

    def outbound(self, action: Action, *, resumed: bool) -> RedactedArguments:
        """As the current settings."""
        return self.current.outbound(action, resumed=resumed)

    def inbound(self, action: Action, result: ToolResult) -> RedactedResult:
        """As the current settings."""
        return self.current.inbound(action, result)

    def logged(self, arguments: JsonObject, *, clean: bool = False) -> JsonObject:
        """As the current settings."""
        return self.current.logged(arguments, clean=clean)


class SwapOutbound:
    """`ports.Outbound` over the egress settings of this moment."""

    def __init__(self, current: Outbound) -> None:
        self.current = current

    async def send(self, request: HttpRequest, principal: Principal) -> HttpResponse:
        """As the current settings."""
        return await self.current.send(request, principal)
