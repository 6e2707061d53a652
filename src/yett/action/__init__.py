# SPDX-License-Identifier: Apache-2.0
"""The nouns of the gate: what passes, who asks, what was decided and what came of it.

Everything here is a frozen value without behaviour that could fail. This folder imports nothing
of yett's, so that every room may import it. Reading order: `Request` (what arrives), `Principal`
(who asks), `Action` (what is decided on), `Decision`, `Authorized` (what may run), `ToolResult`.
"""

from yett.action.approval import (
    ApprovalRecord,
    ApprovalState,
    Vote,
)
from yett.action.decision import (
    ApprovalTerms,
    Decision,
    Effect,
    Obligation,
    Reservation,
)
from yett.action.record import (
    AuditRecord,
)
from yett.action.request import (
    Arrival,
    ElicitationAnswer,
    Kind,
    Principal,
    Request,
    Transport,
)
from yett.action.result import (
    Authorized,
    Finding,
    FindingAction,
    Outcome,
    Question,
    RedactedArguments,
    RedactedResult,
    Reply,
    Status,
    ToolResult,
)
from yett.action.subject import (
    Action,
    Facts,
    ToolDefinition,
)
from yett.action.telling import OnOutput, Screen, Tell
from yett.action.values import (
    UNTRUSTED,
    JsonObject,
    JsonValue,
    Label,
    Secret,
    canonical_json,
    digest_of,
)

__all__ = [
    "UNTRUSTED",
    "Action",
    "ApprovalRecord",
    "ApprovalState",
    "ApprovalTerms",
    "Arrival",
    "AuditRecord",
    "Authorized",
    "Decision",
    "Effect",
    "ElicitationAnswer",
    "Facts",
    "Finding",
    "FindingAction",
    "JsonObject",
    "JsonValue",
    "Kind",
    "Label",
    "Obligation",
    "OnOutput",
    "Outcome",
    "Principal",
    "Question",
    "RedactedArguments",
    "RedactedResult",
    "Reply",
    "Request",
    "Reservation",
    "Screen",
    "Secret",
    "Status",
    "Tell",
    "ToolDefinition",
    "ToolResult",
    "Transport",
    "Vote",
    "canonical_json",
    "digest_of",
]
