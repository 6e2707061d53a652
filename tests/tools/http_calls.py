# SPDX-License-Identifier: Apache-2.0
"""Calls of tools, and a gate that decides by URL and runs what it allows."""

from __future__ import annotations

import sys
from pathlib import Path

from yett.action import Action, Authorized, Decision, Effect, Reply, ToolResult

sys.path.insert(0, str(Path(__file__).parents[1] / "egress"))
from egress_loopback import AGENT, serving


def call_of(tool, arguments, *, parent=None, principal=AGENT, name="act-1"):
    action = Action(
        id=name, kind="tool", tool=tool.definition, arguments=arguments, principal=principal,
        received_at=0.0, parent=parent,
    )  # fmt: skip
    decision = Decision(effect=Effect.ALLOW, rule="test", reason="")
    return Authorized(action=action, decision=decision, deadline=30.0)


class DecidingGate:
    """Denies the URLs it was told to, runs the others through the tool, and remembers every request."""

    def __init__(self, *denied):
        self.denied = denied
        self.requests = []
        self.tool = None

    async def pass_(self, request, dialogue=None):
        self.requests.append(request)
        if request.arguments["url"] in self.denied:
            return Reply(result=ToolResult.text("Denied by rule no-such-host.", is_error=True))
        action = f"act-{len(self.requests) + 1}"
        call = call_of(
            self.tool, request.arguments, parent=request.parent, principal=request.principal, name=action
        )
        return Reply(result=await self.tool.run(call), action=action)


__all__ = ["AGENT", "DecidingGate", "call_of", "serving"]
