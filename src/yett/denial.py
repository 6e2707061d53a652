# SPDX-License-Identifier: Apache-2.0
"""What an agent reads when it may not, or not yet: a normal result with `isError` and words that help.

Pure. Called by the pipeline alone. Never shows another agent's rules, a file of the gate, or a value
that privacy found.
"""

from __future__ import annotations

from yett.action import ApprovalRecord, ApprovalState, Decision, Effect, Finding, JsonObject, ToolResult

DENIAL = "yett/denial"
PENDING = "yett/approval"


def verdict(rule: str, reason: str, next_step: str = "") -> Decision:
    """A denial by the gate itself; `rule` starts with `gate.`."""
    return Decision(effect=Effect.DENY, rule=rule, reason=reason, next_step=next_step)


def blocked_by_privacy(findings: tuple[Finding, ...]) -> Decision:
    """The denial for arguments that hold what may not leave."""
    what = ", ".join(sorted({f"{f.entity} at {f.place or '/'}" for f in findings}))
    return verdict(
        "gate.privacy-blocked",
        f"The arguments hold what may not go to this destination: {what}.",
        "Leave it out, or send it where the policy allows it.",
    )


def denied(decision: Decision, action: str) -> ToolResult:
    """A denial as a tool result: rule id, reason, next step, and the record's id."""
    next_step = decision.next_step or "Choose another way, or ask the operator for a rule that allows this."
    meta: JsonObject = {
        DENIAL: {
            "rule": decision.rule,
            "reason": decision.reason,
            "next_step": next_step,
            "action": action,
        }
    }
    text = f"Denied by rule {decision.rule}: {decision.reason}\nNext step: {next_step}"
    return ToolResult(content=({"type": "text", "text": text},), is_error=True, meta=meta)


def failed(rule: str, reason: str, action: str) -> ToolResult:
    """A call that was allowed and did not end well, in the same shape as a denial."""
    meta: JsonObject = {DENIAL: {"rule": rule, "reason": reason, "next_step": "", "action": action}}
    return ToolResult(content=({"type": "text", "text": f"{reason} ({rule})"},), is_error=True, meta=meta)


def pending(record: ApprovalRecord, decision: Decision, action: str) -> ToolResult:
    """The answer to a client that can't wait for a person."""
    meta: JsonObject = {
        PENDING: {"id": record.id, "state": record.state.value, "expires_at": record.expires_at},
        DENIAL: {
            "rule": decision.rule,
            "reason": "A person has to approve this.",
            "next_step": f"approval_status with id {record.id}",
            "action": action,
        },
    }
    text = (
        f"Pending approval {record.id}: rule {decision.rule} asks a person before this runs, and nothing has"
        f" run yet.\nNext step: wait, then call {record.tool} again with the same arguments, or call"
        f' approval_status with {{"id": "{record.id}"}}; either runs it once after the approval.'
    )
    return ToolResult(content=({"type": "text", "text": text},), is_error=True, meta=meta)


def not_approved(record: ApprovalRecord) -> Decision:
    """The denial for a record that no one will approve any more."""
    said = next((vote.reason for vote in reversed(record.votes) if not vote.approve and vote.reason), "")
    reasons = {
        ApprovalState.DENIED: f"A person denied approval {record.id}" + (f": {said}" if said else "."),
        ApprovalState.EXPIRED: f"Approval {record.id} expired before anyone answered.",
        ApprovalState.WITHDRAWN: f"Approval {record.id} was withdrawn.",
    }
    reason = reasons.get(record.state, f"Approval {record.id} was already used.")
    next_step = "Do not repeat this call; find another way or tell the user what was refused."
    return verdict("gate.not-approved", reason, next_step)


def already_spent(record: ApprovalRecord) -> Decision:
    """The denial for an approval that covers no further run, or no longer covers this call."""
    return verdict(
        "gate.approval-spent",
        f"Approval {record.id} was already used, has expired, or no longer covers this call.",
        "Call again to ask for a new approval.",
    )
