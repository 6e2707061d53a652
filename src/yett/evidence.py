# SPDX-License-Identifier: Apache-2.0
"""The audit records that the pipeline writes, as values.

Pure. What stands in a record is decided here and nowhere else: who, what, the verdict, the digest of
the arguments and their logged view (every private entity masked); never a secret, never a raw value.
"""

from __future__ import annotations

from yett.action import (
    Action,
    ApprovalRecord,
    ApprovalState,
    Arrival,
    AuditRecord,
    Decision,
    Finding,
    JsonObject,
    JsonValue,
    Outcome,
)


def refusal(arrival: Arrival, rule: str, reason: str, action: str = "", tool: str = "") -> AuditRecord:
    """A message that never became an action: no identity, malformed, over a limit, unknown tool."""
    fields: JsonObject = {
        "rule": rule,
        "reason": reason,
        "effect": "deny",
        "transport": arrival.transport.value,
        "source_ip": arrival.source_ip,
        "client": arrival.client[:80],
    }
    if tool:
        fields["tool"] = tool[:128]
    return AuditRecord(event="refusal", action=action, fields=fields)


def _who(action: Action) -> JsonObject:
    principal = action.principal
    return {
        "agent": principal.agent,
        "principal": principal.id,
        "user": principal.user,
        "session": principal.session,
        "task": principal.task,
        "transport": principal.transport.value,
        "source_ip": principal.source_ip,
        "tool": action.name,
        "target": action.tool.target,
    }


def _findings(findings: tuple[Finding, ...]) -> JsonValue:
    return [
        {
            "entity": f.entity,
            "place": f.place,
            "action": f.action.value,
            "score": f.score,
            "fingerprint": f.fingerprint,
        }
        for f in findings
    ]


def decided(
    action: Action, decision: Decision, findings: tuple[Finding, ...], logged: JsonObject
) -> AuditRecord:
    """Every verdict. `logged` is the view of the arguments that may stand in a log."""
    fields: JsonObject = {
        **_who(action),
        "effect": decision.effect.value,
        "rule": decision.rule,
        "reason": decision.reason,
        "policy": decision.policy,
        "arguments": logged,
        "arguments_digest": action.digest,
    }
    if action.parent:
        fields["parent"] = action.parent
    if findings:
        fields["findings"] = _findings(findings)
    return AuditRecord(event="decision", action=action.id, fields=fields)


def intended(action: Action, decision: Decision, approval: str | None) -> AuditRecord:
    """What is about to run. Durable before it does."""
    fields: JsonObject = {
        **_who(action),
        "rule": decision.rule,
        "arguments_digest": action.digest,
        "definition": action.tool.digest,
    }
    if approval:
        fields["approval"] = approval
    return AuditRecord(event="intent", action=action.id, fields=fields)


def ended(action: Action, outcome: Outcome, findings: tuple[Finding, ...] = ()) -> AuditRecord:
    """How it ended."""
    fields: JsonObject = {
        "agent": action.principal.agent,
        "session": action.principal.session,
        "tool": action.name,
        "status": outcome.status.value,
        "duration_ms": round(outcome.duration * 1000, 3),
        "result_bytes": outcome.result_bytes,
    }
    if outcome.detail:
        fields["detail"] = outcome.detail
    if findings:
        fields["findings"] = _findings(findings)
    return AuditRecord(event="outcome", action=action.id, fields=fields)


def approval_moved(record: ApprovalRecord, previous: ApprovalState | None, by: str) -> AuditRecord:
    """A change of state of an approval record: who moved it, from what to what."""
    return AuditRecord(
        event="approval",
        fields={
            "approval": record.id,
            "previous": previous.value if previous else None,
            "state": record.state.value,
            "by": by,
            "agent": record.agent,
            "tool": record.tool,
            "rule": record.rule,
            "key": record.key,
            "votes": [{"by": v.by, "approve": v.approve} for v in record.votes],
        },
    )
