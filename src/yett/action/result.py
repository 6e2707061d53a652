# SPDX-License-Identifier: Apache-2.0
"""What may run, what came of it, and what is given back."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from yett.action.decision import Decision
from yett.action.subject import Action
from yett.action.telling import OnOutput, Screen
from yett.action.values import JsonObject, Label


class FindingAction(StrEnum):
    """What privacy did with a finding. Order of strength: block > mask > allow."""

    ALLOW = "allow"
    MASK = "mask"
    BLOCK = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something private that was found: its type, its place and a keyed fingerprint, never itself.

    `place` is an RFC 6901 JSON pointer into the arguments or the result.
    """

    entity: str
    place: str
    score: float
    action: FindingAction
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool gave back, in MCP's own shapes.

    `content` holds MCP content blocks as JSON objects, `structured` the structured content, `meta`
    the result's `_meta`. Labels say what is known of its origin.
    """

    content: tuple[JsonObject, ...]
    structured: JsonObject | None = None
    is_error: bool = False
    meta: JsonObject = field(default_factory=dict)
    labels: frozenset[Label] = frozenset()

    @staticmethod
    def text(text: str, *, is_error: bool = False, structured: JsonObject | None = None) -> ToolResult:
        """A result of one text block."""
        return ToolResult(content=({"type": "text", "text": text},), structured=structured, is_error=is_error)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedArguments:
    """Outbound arguments after redaction. `blocked` is not empty when the call must not go on."""

    arguments: JsonObject
    findings: tuple[Finding, ...] = ()

    @property
    def blocked(self) -> tuple[Finding, ...]:
        """The findings that forbid the call."""
        return tuple(f for f in self.findings if f.action is FindingAction.BLOCK)

    @property
    def changed(self) -> bool:
        """Whether a value was replaced."""
        return any(f.action is FindingAction.MASK for f in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedResult:
    """A result after redaction in every channel."""

    result: ToolResult
    findings: tuple[Finding, ...] = ()


class Status(StrEnum):
    """How an execution ended. `unknown` is written for an intent whose outcome was lost."""

    OK = "ok"
    TOOL_ERROR = "tool_error"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    NOT_RUN = "not_run"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an execution ended, for the audit log and the approval record. `duration` is seconds."""

    status: Status
    duration: float = 0.0
    detail: str = ""
    result_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorized:
    """An action that may run, after decision, redaction and approval. Only the pipeline makes one.

    `deadline` is seconds from now; the executor must have stopped everything by then. `screen` is what
    a tool must use before it keeps a text to give it away in pieces; without one it keeps nothing.
    `on_output` is set where the caller asked for progress: a tool hands a program's output to it as it is.
    """

    action: Action
    decision: Decision
    deadline: float
    screen: Screen | None = None
    on_output: OnOutput | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the agent's own client is asked to show: a rendering made by the gate, and a nonce."""

    approval: str
    nonce: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the gate gives back: a result, or first a question for the agent's client."""

    result: ToolResult | None = None
    question: Question | None = None
    action: str = ""
