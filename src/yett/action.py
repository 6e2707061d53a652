# SPDX-License-Identifier: Apache-2.0
"""The nouns of the gate: what passes, who asks, what was decided and what came of it.

Everything here is a frozen value without behaviour that could fail. This module imports nothing
from yett, so that every room may import it. Reading order: `Request` (what arrives), `Principal`
(who asks), `Action` (what is decided on), `Decision`, `Authorized` (what may run), `ToolResult`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]

Screen: TypeAlias = Callable[[str], Awaitable[str]]
"""A text as the agent may see it: redacted like a result. For what is cut in pieces afterwards."""

OnOutput: TypeAlias = Callable[[str, bytes], Awaitable[None]]
"""Called with `stdout` or `stderr` and the bytes, as they come."""

Tell: TypeAlias = Callable[[float, str], Awaitable[None]]
"""Tells a caller how far its call is: seconds since it began to run, and a line or more of text."""

Label: TypeAlias = str
"""What is known of a result or a session: `untrusted`, `sensitive:<entity>`, `source:<tool>`."""

UNTRUSTED: Label = "untrusted"


def canonical_json(value: JsonValue) -> bytes:
    """The one byte form of a JSON value that digests, approvals and audit records use.

    Keys are sorted, there is no white space, text is UTF-8. Two values have one form exactly when
    they are equal after strict parsing.

    Raises:
        ValueError: NaN or an infinity (strict parsing refuses them before).
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def digest_of(value: JsonValue) -> str:
    """SHA-256 of `canonical_json(value)`, in hexadecimal."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


class Secret:
    """A value that must never be printed: its repr and str are `***`.

    Compare with `hmac.compare_digest(a.reveal(), b.reveal())`; equality is by identity on purpose.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself. Call this only where it is used up."""
        return self._value

    def __repr__(self) -> str:
        """Never the value."""
        return "***"

    __str__ = __repr__


class Kind(StrEnum):
    """What sort of thing passes the gate."""

    TOOL = "tool"
    RESOURCE = "resource"
    PROMPT = "prompt"
    SAMPLING = "sampling"
    ELICITATION = "elicitation"
    HTTP = "http"


class Transport(StrEnum):
    """How a request reached the gate."""

    STDIO = "stdio"
    HTTP = "http"
    INTERNAL = "internal"


class Effect(StrEnum):
    """The verdict on an action. Order of strength: deny > ask > allow."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"

    @property
    def strictness(self) -> int:
        """0 for allow, 1 for ask, 2 for deny."""
        return _STRICTNESS[self]


_STRICTNESS = {Effect.ALLOW: 0, Effect.ASK: 1, Effect.DENY: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a transport knows of a request before anyone is identified. All of it is claimed.

    `can_elicit` says that the client declared elicitation; `credential` is the bearer token or the
    shim's key. `client` is the client's own word and is used for display and hold times only.
    """

    transport: Transport
    credential: Secret | None = None
    source_ip: str | None = None
    client: str = ""
    protocol: str = ""
    can_elicit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An identified caller: the agent, on whose behalf, in which session and task, from where.

    `roles` are the roles given directly in `yett.yaml`; inheritance is the policy's business.
    `session` is minted by the gate; `lineage` is the first session of the chain that this one
    continues, so that a reconnect changes nothing that is bound to it. `attributes` come from the
    configuration, never from the caller.
    """

    agent: str
    id: str
    roles: frozenset[str] = frozenset()
    attributes: Mapping[str, JsonValue] = field(default_factory=dict)
    user: str | None = None
    session: str = ""
    lineage: str = ""
    task: str | None = None
    labels: frozenset[Label] = frozenset()
    transport: Transport = Transport.INTERNAL
    source_ip: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ElicitationAnswer:
    """A client's answer to a question of ours: the one-shot nonce it came with, and the choice.

    `approve` is None when the client showed nobody anything (cancelled, declined, timed out).
    """

    nonce: str
    approve: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as a room hands it to `Gate.pass_`, strictly parsed and nothing more.

    A room that acts for an already identified caller (a redirect, a sandboxed program) sets
    `principal` and `parent`; the server never does. `resumes` is the approval whose record is being
    run: its arguments were redacted when it was proposed. `tell` is set where the caller asked for progress.
    """

    kind: Kind
    name: str
    arguments: JsonObject
    arrival: Arrival
    answer: ElicitationAnswer | None = None
    principal: Principal | None = None
    parent: str | None = None
    resumes: str | None = None
    tell: Tell | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """A tool as it is listed, validated and decided on.

    `origin` is `builtin` or the upstream's name. `target` names what the tool acts on for approvals
    and redaction (`sandbox`, `egress`, `sql:sales`, `upstream:bank`). `annotations` are the MCP
    hints; those of an upstream are shown and never believed. `result_labels` are put on each result.
    """

    name: str
    description: str
    input_schema: JsonObject
    title: str = ""
    output_schema: JsonObject | None = None
    annotations: JsonObject = field(default_factory=dict)
    origin: str = "builtin"
    target: str = "gate"
    result_labels: frozenset[Label] = frozenset({UNTRUSTED})
    timeout: float = 60.0

    digest: str = field(init=False, default="", compare=False)
    """Identifies this definition, so that an approval for it dies when it changes."""

    def __post_init__(self) -> None:
        """Compute the digest once: it is used on the path of every call."""
        digest = digest_of(
            {
                "name": self.name,
                "description": self.description,
                "input_schema": self.input_schema,
                "output_schema": self.output_schema,
                "annotations": self.annotations,
                "origin": self.origin,
                "target": self.target,
            }
        )
        object.__setattr__(self, "digest", digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is decided on, shown to a person, and run: one identified call with its arguments.

    `arguments` are the values that the destination will receive; nobody may change them in place.
    """

    id: str
    kind: Kind
    tool: ToolDefinition
    arguments: JsonObject
    principal: Principal
    received_at: float
    parent: str | None = None
    _form: list[tuple[str, int]] = field(init=False, default_factory=list, compare=False, repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical arguments."""
        return self._measured()[0]

    @property
    def size(self) -> int:
        """Bytes of the canonical arguments."""
        return self._measured()[1]

    def _measured(self) -> tuple[str, int]:
        # Computed once: records, approvals and limits all use it on the path of a call.
        if not self._form:
            form = canonical_json(self.arguments)
            self._form.append((hashlib.sha256(form).hexdigest(), len(form)))
        return self._form[0]

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.tool.name


Facts: TypeAlias = Mapping[str, JsonValue]
"""What parsers found in an action, by name (`path`, `http.host`, `sql.verbs`). A missing name is
unknown, which is not the same as empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalTerms:
    """What an asking rule demands: who may approve, how many, for how long the question stands.

    `approvers` are groups or people; empty means any operator of this gate. `expires` is seconds.
    """

    approvers: frozenset[str] = frozenset()
    need: int = 1
    expires: float = 600.0
    not_requester: bool = False

    @property
    def elicitation_suffices(self) -> bool:
        """Whether the agent's own client may answer: only where the rule names no people."""
        return not self.approvers and self.need == 1 and not self.not_requester


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """Something that must be done if the action goes on. `kind` names it, `value` says how much."""

    kind: str
    value: JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """An amount to set aside before execution, for counted and summed limits. Units of the rule."""

    key: str
    amount: float
    limit: float
    window: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The verdict on one action, with the rule that gave it and words that help.

    `rule` is stable and appears in every record and denial; for verdicts of the gate itself it
    starts with `gate.`. `reason` and `next_step` are for the agent and reveal no internals.
    """

    effect: Effect
    rule: str
    reason: str
    next_step: str = ""
    approval: ApprovalTerms | None = None
    obligations: tuple[Obligation, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    policy: str = ""


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


class ApprovalState(StrEnum):
    """Where an approval record is in its life."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    EXECUTING = "executing"
    EXECUTED = "executed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's answer. `by` is `person:<name>`, `operator:<user>` or `elicitation:<agent>`."""

    by: str
    approve: bool
    at: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRecord:
    """One question to people, covering exactly one action. Times are Unix seconds.

    `key` is the digest of all that law 4 binds: agent, user, session lineage, task, tool, tool
    definition, execution target, canonical arguments and obligations.
    """

    id: str
    key: str
    state: ApprovalState
    agent: str
    user: str | None
    lineage: str
    task: str | None
    tool: str
    target: str
    arguments: JsonObject
    rule: str
    reason: str
    terms: ApprovalTerms
    created_at: float
    expires_at: float
    votes: tuple[Vote, ...] = ()
    note: str = ""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One thing that happened, before the audit room gives it a number, a time and a hash.

    `event` is one of: refusal, decision, approval, intent, outcome, system. `fields` never holds a
    secret or a personal value in clear.
    """

    event: str
    action: str = ""
    fields: JsonObject = field(default_factory=dict)


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
