# SPDX-License-Identifier: Apache-2.0
"""The doors of the pipeline's steps: what each room promises to `pipeline.py`, and the tools behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from yett.action import (
    Action,
    ApprovalRecord,
    Arrival,
    AuditRecord,
    Authorized,
    Decision,
    ElicitationAnswer,
    JsonObject,
    Label,
    Outcome,
    Principal,
    Question,
    RedactedArguments,
    RedactedResult,
    Reply,
    Request,
    ToolDefinition,
    ToolResult,
    Vote,
)


class Gate(Protocol):
    """The one way through. Every room that lets bytes pass hands its requests to this."""

    async def pass_(self, request: Request, dialogue: Dialogue | None = None) -> Reply:
        """Take one request from first byte to last. Never raises for what a caller sent.

        `dialogue` is the live line to the agent's client where the protocol era has one.
        """
        ...

    async def refuse(self, arrival: Arrival, rule: str, reason: str) -> None:
        """Record a message that was refused before it could become a request."""
        ...


class Dialogue(Protocol):
    """A live line to the agent's own client, where the protocol era has one."""

    async def ask(self, question: Question) -> ElicitationAnswer | None:
        """Show a question and wait for the answer; None when the client gave none."""
        ...


class Identify(Protocol):
    """Who calls."""

    async def identify(self, arrival: Arrival) -> Principal:
        """The agent behind a credential, in its session.

        Raises:
            Unauthenticated: no credential, an unknown, revoked or suspended one.
        """
        ...

    async def still(self, principal: Principal) -> Principal:
        """A caller who was identified before, as of this moment: for actions that follow from his own.

        Raises:
            Unauthenticated: his credentials were revoked, he was suspended or is named no more.
        """
        ...


class Sessions(Protocol):
    """Sessions are minted here and outlive connections; their labels are durable."""

    async def continue_or_open(self, agent: str, user: str | None) -> Session:
        """The agent's session within the idle limit, or a new one that inherits its labels."""
        ...

    async def label(self, session: str, labels: frozenset[Label]) -> None:
        """Add labels to a session. They are durable when this returns."""
        ...

    async def end(self, session: str) -> None:
        """Close a session; what belongs to it (containers, grants) ends with it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session as `Sessions` knows it. `lineage` is the first session of the chain."""

    id: str
    lineage: str
    labels: frozenset[Label] = frozenset()


class Catalog(Protocol):
    """Which tools there are, and whether arguments fit them. Never touches an engine or a network."""

    def find(self, name: str) -> ToolDefinition | None:
        """The tool of that exact name."""
        ...

    def all(self) -> tuple[ToolDefinition, ...]:
        """Every tool, sorted by name."""
        ...

    def problem(self, tool: ToolDefinition, arguments: JsonObject) -> str | None:
        """Why the arguments do not fit the tool's input schema, in one sentence, or None."""
        ...


class Vault(Protocol):
    """Turns privacy tokens back into values before the decision, and refuses what is not a token."""

    def resolve(self, arguments: JsonObject, principal: Principal) -> JsonObject:
        """The sealed view of the arguments.

        Raises:
            BadRequest: a forged or foreign token, or a `${secret:}` placeholder in the agent's text.
        """
        ...


class Decide(Protocol):
    """Policy. Pure: the same action gives the same decision; the time is the action's."""

    def decide(self, action: Action) -> Decision:
        """The verdict. Deny by default; an exception inside is a denial."""
        ...

    def may_see(self, principal: Principal, tool: ToolDefinition) -> bool:
        """Whether any rule could allow or ask for this tool for this caller."""
        ...


class Grants(Protocol):
    """What was granted for one task on request. Checked at the time of use; revoked in O(1)."""

    def active(self, principal: Principal, tool: str, at: float) -> tuple[str, ...]:
        """The ids of the grant rules in force for this task and tool."""
        ...

    def revoke(self, task: str) -> None:
        """End every grant of a task."""
        ...


class Redact(Protocol):
    """Privacy in both directions. Pure and bounded in time by the size of its input."""

    def outbound(self, action: Action, *, resumed: bool) -> RedactedArguments:
        """What may leave towards the action's destination.

        `resumed` says that a person approved exactly these arguments: mask markers in them are then
        not a fault.
        """
        ...

    def inbound(self, action: Action, result: ToolResult) -> RedactedResult:
        """What the agent may see of a result, in every channel: content, structured, errors, meta."""
        ...

    def logged(self, arguments: JsonObject, *, clean: bool = False) -> JsonObject:
        """The arguments as they may stand in the log: every private entity masked, long text cut.

        `clean` says that `outbound` has looked at these very arguments and found nothing at all.
        """
        ...


class Approve(Protocol):
    """Durable approval records. Every change of state is durable when the method returns."""

    async def propose(self, action: Action, decision: Decision) -> ApprovalRecord:
        """The live record for this action (pending or approved), or a new pending one."""
        ...

    async def get(self, approval: str) -> ApprovalRecord | None:
        """The record of that id, with expiry applied."""
        ...

    async def all(self) -> tuple[ApprovalRecord, ...]:
        """Every record, newest first."""
        ...

    def question(self, record: ApprovalRecord) -> Question:
        """A question for the agent's own client, with a fresh one-shot nonce."""
        ...

    async def answer(self, record: ApprovalRecord, answer: ElicitationAnswer) -> ApprovalRecord:
        """Take a client's answer. The nonce is consumed whatever the outcome.

        Raises:
            BadRequest: a nonce that is unknown, used, expired or of another record.
        """
        ...

    async def vote(self, approval: str, vote: Vote, groups: frozenset[str]) -> ApprovalRecord:
        """Take a person's answer; `groups` are the person's own.

        Raises:
            BadRequest: no such record, no longer pending, or this person may not answer it.
        """
        ...

    async def settled(self, approval: str, seconds: float) -> ApprovalRecord:
        """Wait up to `seconds` for the record to leave `pending`."""
        ...

    async def consume(self, record: ApprovalRecord, action: Action, decision: Decision) -> bool:
        """Spend an approval for exactly this action: approved becomes executing, once and atomically."""
        ...

    async def finish(self, approval: str, outcome: Outcome) -> None:
        """Executing becomes executed or failed."""
        ...


class Execute(Protocol):
    """Runs what was authorized, and nothing else."""

    async def run(self, call: Authorized) -> ToolResult:
        """Run it. When this is cancelled, whatever it started is killed before it returns.

        Raises:
            ExecutionError, EnvironmentFault, EgressRefused, UpstreamError
        """
        ...


class Tool(Protocol):
    """One tool: how it is listed and how it runs."""

    @property
    def definition(self) -> ToolDefinition:
        """How it is listed, validated and decided on."""
        ...

    async def run(self, call: Authorized) -> ToolResult:
        """As `Execute.run`."""
        ...


class ToolSource(Protocol):
    """Somewhere tools come from: the built-in ones, an upstream server."""

    def tools(self) -> tuple[ToolDefinition, ...]:
        """The tools it serves at this moment."""
        ...

    async def run(self, call: Authorized) -> ToolResult:
        """As `Execute.run`, for its own tools."""
        ...


class Audit(Protocol):
    """The log. Records keep the order in which they were handed over."""

    async def commit(self, *records: AuditRecord) -> None:
        """Append records; they are on stable storage when this returns.

        Raises:
            AuditUnavailable: they are not.
        """
        ...

    def note(self, record: AuditRecord) -> None:
        """Append a record in order, durable with the next commit or within the flush interval.

        Raises:
            AuditUnavailable: the log is already known to be broken.
        """
        ...
