# SPDX-License-Identifier: Apache-2.0
"""What an approval covers: one digest over everything that law 4 binds.

If any part differs, it is another call and needs another approval. Pure; called when a record is
proposed and again, on the current action and decision, when it is spent.
"""

from __future__ import annotations

from yett.action import Action, ApprovalTerms, Decision, JsonValue, canonical_json, digest_of
from yett.errors import BadRequest


def key_of(action: Action, decision: Decision) -> str:
    """The digest of what an approval of this action under this decision would cover.

    That is: agent, user, lineage, task, kind, tool, its definition and target, the canonical
    arguments, the obligations and the approval terms. The connection, the session's own id and the
    time are left out: a reconnect changes nothing.

    Raises:
        BadRequest: the arguments have no canonical form.
    """
    caller, tool = action.principal, action.tool
    obligations: list[JsonValue] = sorted(
        ([o.kind, o.value] for o in decision.obligations), key=canonical_json
    )
    try:
        return digest_of(
            {
                "agent": caller.agent,
                "user": caller.user,
                "lineage": caller.lineage,
                "task": caller.task,
                "kind": action.kind.value,
                "tool": tool.name,
                "definition": tool.digest,
                "target": tool.target,
                "arguments": action.arguments,
                "obligations": obligations,
                "terms": _terms(terms_of(decision)),
            }
        )
    except ValueError as problem:
        raise BadRequest("The arguments are not valid JSON text.") from problem


def terms_of(decision: Decision) -> ApprovalTerms:
    """The terms of an asking decision; a rule that says nothing asks for one operator."""
    return decision.approval or ApprovalTerms()


def _terms(terms: ApprovalTerms) -> JsonValue:
    return {
        "approvers": [*sorted(terms.approvers)],
        "need": terms.need,
        "expires": terms.expires,
        "not_requester": terms.not_requester,
    }
