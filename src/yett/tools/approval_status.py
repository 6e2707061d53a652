# SPDX-License-Identifier: Apache-2.0
"""`approval_status`: how an approval stands, and its one run once a person has said yes.

A model need not repeat long arguments: the record holds them. Running goes through the gate again as a
new action of the same principal, so policy decides again and the approval is spent like any other.
"""

from __future__ import annotations

from collections.abc import Callable

from yett.action import (
    ApprovalState,
    Arrival,
    Authorized,
    Kind,
    Request,
    ToolDefinition,
    ToolResult,
    Transport,
)
from yett.ports import Approve, Gate

DEFINITION = ToolDefinition(
    name="approval_status",
    title="Approval status",
    description=(
        "How a pending approval of yours stands. If it has been approved, this runs the approved call"
        " once, with the arguments that were approved, and returns its result."
    ),
    input_schema={
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "The approval's id, as given by the pending answer."}
        },
        "required": ["id"],
        "additionalProperties": False,
    },
    annotations={
        "readOnlyHint": False,
        "destructiveHint": True,
        "idempotentHint": False,
        "openWorldHint": True,
    },
    target="gate",
    result_labels=frozenset(),
    timeout=3600.0,
)


class ApprovalStatus:
    """The tool (`ports.Tool`)."""

    def __init__(self, approve: Approve, gate: Callable[[], Gate]) -> None:
        """`gate` is asked for late: the gate is built over this tool."""
        self._approve = approve
        self._gate = gate

    @property
    def definition(self) -> ToolDefinition:
        """How it is listed."""
        return DEFINITION

    async def run(self, call: Authorized) -> ToolResult:
        """Say how it stands, or run it once."""
        principal = call.action.principal
        approval = str(call.action.arguments["id"])
        record = await self._approve.get(approval)
        if record is None or (record.agent, record.user) != (principal.agent, principal.user):
            return ToolResult.text(f"You have no approval {approval[:64]!r}.", is_error=True)
        match record.state:
            case ApprovalState.PENDING:
                return ToolResult.text(
                    f"Approval {record.id} is still pending; nothing has run. Ask again in a while."
                )
            case ApprovalState.APPROVED:
                reply = await self._gate().pass_(
                    Request(
                        kind=Kind.TOOL,
                        name=record.tool,
                        arguments=record.arguments,
                        arrival=Arrival(transport=Transport.INTERNAL),
                        principal=principal,
                        parent=call.action.id,
                        resumes=record.id,
                    )
                )
                return reply.result or ToolResult.text("The gate gave no answer.", is_error=True)
            case state:
                return ToolResult.text(
                    f"Approval {record.id} is {state.value}; it runs nothing any more.", is_error=True
                )
