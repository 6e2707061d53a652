# SPDX-License-Identifier: Apache-2.0
"""One tool call, from first byte to last. READ THIS FIRST.

    receive -> identify -> decide -> redact -> approve -> execute -> redact -> reply

The order is fixed here and nowhere else; rooms implement steps and never add one. The rules:

1. Every way out has written an audit record, and nothing runs before its intent is durable.
2. No match, no identity, no schema fit, no readable log: denied.
3. What was decided on is what is shown is what runs: if redaction changed the arguments, policy
   decides again on the changed ones and the stricter verdict counts.
4. An approval is spent before the intent is written, once, and only if policy still asks no more.
5. A denial is a value. Exceptions mean that the world is broken, and end as a denial here.

Called by the server and by every room that lets bytes pass. It imports nouns, errors and ports only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar, TypeVarTuple

import anyio
import structlog

from yett import denial, evidence
from yett.action import (
    Action,
    ApprovalRecord,
    ApprovalState,
    Arrival,
    AuditRecord,
    Authorized,
    Decision,
    Effect,
    ElicitationAnswer,
    Finding,
    JsonObject,
    Outcome,
    Principal,
    Question,
    RedactedResult,
    Reply,
    Request,
    Status,
    Tell,
    ToolResult,
    canonical_json,
)
from yett.crowding import Bench, Floodgate, Seats
from yett.errors import (
    AuditUnavailable,
    BadRequest,
    BrokenRoom,
    ExecutionTimeout,
    UnknownTool,
    YettError,
)
from yett.pipeline_settings import PipelineSettings
from yett.ports import (
    Approve,
    Audit,
    Catalog,
    Clock,
    Decide,
    Dialogue,
    Entropy,
    Execute,
    Identify,
    Redact,
    Sessions,
    Vault,
)
from yett.progress import Screener, told

log = structlog.get_logger("yett.pipeline")

FLOOD_RULE = "gate.too-many-attempts"
Judged: TypeAlias = tuple[Action, Decision, tuple[Finding, ...], JsonObject]
Made = TypeVar("Made")
Given = TypeVarTuple("Given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """The steps' implementations, joined by `app.py`."""

    identify: Identify
    sessions: Sessions
    catalog: Catalog
    vault: Vault
    decide: Decide
    redact: Redact
    approve: Approve
    execute: Execute
    audit: Audit
    clock: Clock
    entropy: Entropy


class Pipeline:
    """The gate (`ports.Gate`)."""

    def __init__(self, rooms: Rooms, settings: PipelineSettings) -> None:
        self._rooms = rooms
        self._settings = settings
        self._seats = Seats(settings.calls_per_agent)
        self._bench = Bench(settings.threads)
        self._floodgate = Floodgate(rooms.clock, settings.flood_window, settings.flood_sources)

    async def refuse(self, arrival: Arrival, rule: str, reason: str) -> None:
        """Record a message that was refused before it could become a request.

        A source that is past its failed attempts is recorded once a window: the log is not its to fill.
        """
        if rule == FLOOD_RULE:
            if not self._floodgate.lets_through(arrival):
                return
            reason = f"{reason} Further ones are not recorded for {self._settings.flood_window:.0f} s."
        await self._rooms.audit.commit(self._refusal(arrival, rule, reason))

    async def pass_(self, request: Request, dialogue: Dialogue | None = None) -> Reply:
        """Take one request from first byte to last. See `ports.Gate`."""
        action_id = self._rooms.entropy.id("act")
        try:
            return await self._steps(request, dialogue, action_id)
        except AuditUnavailable as error:
            return Reply(result=denial.failed(error.rule, error.public(), action_id), action=action_id)
        except YettError as error:
            return await self._refused(request, error, action_id)
        except Exception:  # law 2: whatever breaks in a room ends as a denial
            log.exception("a room broke before anything ran", action=action_id, tool=request.name)
            return await self._refused(request, BrokenRoom("The gate failed to decide on this."), action_id)

    async def _steps(self, request: Request, dialogue: Dialogue | None, action_id: str) -> Reply:
        action = await self._receive(request, action_id)
        with self._seats.taken_by(action.principal.agent):
            return await self._from_decide(action, request, dialogue)

    async def _from_decide(self, action: Action, request: Request, dialogue: Dialogue | None) -> Reply:
        judged = await self._off_loop(action.size, action, self._decide, action, request.resumes)
        action, decision, findings, logged = judged
        decided = evidence.decided(action, decision, findings, logged)
        if decision.effect is Effect.DENY:
            await self._rooms.audit.commit(decided)
            return Reply(result=denial.denied(decision, action.id), action=action.id)
        if decision.effect is Effect.ALLOW:
            return await self._run(action, decision, None, request.tell, decided)
        await self._rooms.audit.commit(decided)
        return await self._approve(action, decision, request, dialogue)

    async def _receive(self, request: Request, action_id: str) -> Action:
        """Receive and identify: an action, or a CallerError."""
        rooms = self._rooms
        principal = await self._caller(request)
        tool = rooms.catalog.find(request.name)
        if tool is None or not rooms.decide.may_see(principal, tool):
            # One answer for "is not there" and "not for you": the list already shows what there is.
            raise UnknownTool(f"There is no tool {request.name[:128]!r} for this agent.")
        arguments = rooms.vault.resolve(request.arguments, principal)
        if problem := rooms.catalog.problem(tool, arguments):
            raise BadRequest(problem, advice="Call again with arguments that fit the tool's schema.")
        return Action(
            id=action_id,
            kind=request.kind,
            tool=tool,
            arguments=arguments,
            principal=principal,
            received_at=rooms.clock.now(),
            parent=request.parent,
        )

    async def _caller(self, request: Request) -> Principal:
        """Who calls, as of this moment: a stopped agent is refused, new labels and roles count."""
        if request.principal is None:
            return await self._rooms.identify.identify(request.arrival)
        return await self._rooms.identify.still(request.principal)

    def _decide(self, action: Action, resumes: str | None) -> Judged:
        """Decide and redact: the action as its destination will receive it, the verdict, the logged view."""
        action, decision, findings = self._judge(action, resumes)
        logged = self._rooms.redact.logged(action.arguments, clean=findings == ())
        return action, decision, findings or (), logged

    def _judge(
        self, action: Action, resumes: str | None
    ) -> tuple[Action, Decision, tuple[Finding, ...] | None]:
        """The findings are None when nobody looked for any."""
        decision = self._rooms.decide.decide(action)
        if decision.effect is Effect.DENY:
            return action, decision, None
        redacted = self._rooms.redact.outbound(action, resumed=resumes is not None)
        if redacted.blocked:
            return action, denial.blocked_by_privacy(redacted.blocked), redacted.findings
        if redacted.changed:
            action = replace(action, arguments=redacted.arguments)
            if problem := self._rooms.catalog.problem(action.tool, action.arguments):
                masked = denial.verdict("gate.masked-arguments", f"After masking: {problem}")
                return action, masked, redacted.findings
            again = self._rooms.decide.decide(action)
            if again.effect.strictness >= decision.effect.strictness:
                decision = again
        return action, decision, redacted.findings

    async def _approve(
        self, action: Action, decision: Decision, request: Request, dialogue: Dialogue | None
    ) -> Reply:
        """Find or make the record, ask whoever can answer in time, and go on only when it is approved."""
        approve = self._rooms.approve
        record = await approve.propose(action, decision)
        answer = request.answer
        if request.arrival.can_elicit and record.terms.elicitation_suffices:
            if record.state is ApprovalState.PENDING and answer is None:
                question = approve.question(record)
                if dialogue is None:
                    return Reply(question=question, action=action.id)
                answer = await self._asked(dialogue, question, record)
                record = await approve.get(record.id) or record
            if record.state is ApprovalState.PENDING and answer is not None and answer.approve is not None:
                record = await approve.answer(record, answer)
        if record.state is ApprovalState.PENDING:
            record = await approve.settled(record.id, self._settings.hold)
        if record.state is ApprovalState.PENDING:
            return Reply(result=denial.pending(record, decision, action.id), action=action.id)
        if record.state is not ApprovalState.APPROVED:
            return await self._deny(action, denial.not_approved(record))
        return await self._spend(action, decision, record, request)

    async def _asked(
        self, dialogue: Dialogue, question: Question, record: ApprovalRecord
    ) -> ElicitationAnswer | None:
        """Ask the agent's client; whoever answers first, the client or a person elsewhere, ends the wait."""
        answers: list[ElicitationAnswer | None] = []
        async with anyio.create_task_group() as race:

            async def ask() -> None:
                answers.append(await dialogue.ask(question))
                race.cancel_scope.cancel()

            race.start_soon(ask)
            await self._rooms.approve.settled(record.id, record.expires_at - self._rooms.clock.now())
            race.cancel_scope.cancel()
        return answers[0] if answers else None

    async def _spend(
        self, action: Action, decision: Decision, record: ApprovalRecord, request: Request
    ) -> Reply:
        """Identify and decide again as of this moment, then spend the approval once."""
        rooms = self._rooms
        # People take their time; the agent may have been suspended or its session stopped meanwhile.
        action = replace(action, principal=await self._caller(request))
        again = rooms.decide.decide(replace(action, received_at=rooms.clock.now()))
        if again.effect is Effect.DENY:
            return await self._deny(action, again)
        # A verdict of allow is less strict than what was approved; a changed question has another key.
        spent = await rooms.approve.consume(
            record, action, decision if again.effect is Effect.ALLOW else again
        )
        if not spent:
            return await self._deny(action, denial.already_spent(record))
        return await self._run(action, decision, record.id, request.tell)

    async def _run(
        self,
        action: Action,
        decision: Decision,
        approval: str | None,
        tell: Tell | None,
        *decided: AuditRecord,
    ) -> Reply:
        """Write the intent, run, redact what came back, write the outcome, reply."""
        rooms = self._rooms
        try:
            await rooms.audit.commit(*decided, evidence.intended(action, decision, approval))
        except (AuditUnavailable, anyio.get_cancelled_exc_class()):
            with self._cleaning_up():
                await self._finish(approval, Outcome(status=Status.NOT_RUN))
            raise
        started = rooms.clock.monotonic()
        findings: tuple[Finding, ...] = ()
        try:
            result, findings = await self._execute(action, decision, tell)
            status, detail = (Status.TOOL_ERROR if result.is_error else Status.OK), ""
        except anyio.get_cancelled_exc_class():
            elapsed = rooms.clock.monotonic() - started
            gone = Outcome(status=Status.CANCELLED, duration=elapsed, detail="the caller went away")
            with self._cleaning_up():
                rooms.audit.note(evidence.ended(action, gone))
                await self._finish(approval, gone)
            raise
        except (YettError, TimeoutError) as error:
            fault = error if isinstance(error, YettError) else ExecutionTimeout("It did not end in time.")
            status = Status.TIMEOUT if isinstance(fault, ExecutionTimeout) else Status.FAILED
            result, detail = denial.failed(fault.rule, fault.public(), action.id), fault.rule
        except Exception as error:  # law 2: whatever breaks in a room ends as a denial
            log.exception("a room broke", action=action.id, tool=action.name)
            result = denial.failed(BrokenRoom.rule, "The gate failed to run this.", action.id)
            status, detail = Status.FAILED, f"{BrokenRoom.rule} {type(error).__name__}"
        outcome = Outcome(
            status=status,
            duration=rooms.clock.monotonic() - started,
            detail=detail,
            result_bytes=len(canonical_json([*result.content, result.structured])),
        )
        return await self._ended(action, outcome, approval, result, findings)

    async def _execute(
        self, action: Action, decision: Decision, tell: Tell | None
    ) -> tuple[ToolResult, tuple[Finding, ...]]:
        """Run it within its deadline; what comes back is redacted and labelled before anyone sees it."""
        rooms = self._rooms
        deadline = action.tool.timeout + self._settings.grace

        async def look(part: ToolResult) -> RedactedResult:
            length = len(canonical_json([*part.content]))
            return await self._off_loop(length, action, rooms.redact.inbound, action, part)

        screen = Screener(look)
        with anyio.fail_after(deadline):
            async with told(tell, look, self._settings.progress) as on_output:
                call = Authorized(
                    action=action, decision=decision, deadline=deadline, screen=screen, on_output=on_output
                )
                raw = await rooms.execute.run(call)
        labels = raw.labels | action.tool.result_labels
        if not labels <= action.principal.labels:
            await rooms.sessions.label(action.principal.session, labels)
        size = len(canonical_json([*raw.content, raw.structured]))
        result = replace(raw, labels=labels)
        redacted = await self._off_loop(size, action, rooms.redact.inbound, action, result)
        return redacted.result, screen.findings + redacted.findings

    async def _ended(
        self,
        action: Action,
        outcome: Outcome,
        approval: str | None,
        result: ToolResult,
        findings: tuple[Finding, ...],
    ) -> Reply:
        """Write the outcome. A result whose outcome can't be recorded is not released."""
        try:
            self._rooms.audit.note(evidence.ended(action, outcome, findings))
        except AuditUnavailable as error:
            result = denial.failed(error.rule, "It ran, but its outcome could not be recorded.", action.id)
            outcome = replace(outcome, status=Status.UNKNOWN)
        await self._finish(approval, outcome)
        return Reply(result=result, action=action.id)

    async def _off_loop(
        self, size: int, action: Action, work: Callable[[*Given], Made], *given: *Given
    ) -> Made:
        """Pure work on much text goes to a thread: one caller's megabyte must not hold up the others."""
        if size <= self._settings.thread_over:
            return work(*given)
        return await self._bench.run(action.principal.agent, work, *given)

    def _cleaning_up(self) -> anyio.CancelScope:
        """Work that a cancelled call still has to do, with an end of its own."""
        return anyio.CancelScope(shield=True, deadline=anyio.current_time() + self._settings.cleanup)

    async def _finish(self, approval: str | None, outcome: Outcome) -> None:
        if approval is not None:
            await self._rooms.approve.finish(approval, outcome)

    async def _deny(self, action: Action, decision: Decision) -> Reply:
        """A denial that came after the first verdict was written."""
        logged = self._rooms.redact.logged(action.arguments)
        await self._rooms.audit.commit(evidence.decided(action, decision, (), logged))
        return Reply(result=denial.denied(decision, action.id), action=action.id)

    async def _refused(self, request: Request, error: YettError, action_id: str) -> Reply:
        """What never became an action: recorded as a refusal, answered as a denial."""
        reason = error.public()
        record = self._refusal(request.arrival, error.rule, reason, action_id, request.name)
        try:
            await self._rooms.audit.commit(record)
        except AuditUnavailable as broken:
            return Reply(result=denial.failed(broken.rule, broken.public(), action_id), action=action_id)
        decision = denial.verdict(error.rule, reason, error.advice() if error.advice() != reason else "")
        return Reply(result=denial.denied(decision, action_id), action=action_id)

    def _refusal(
        self, arrival: Arrival, rule: str, reason: str, action_id: str = "", tool: str = ""
    ) -> AuditRecord:
        """The record of a refusal. Its words are the caller's own, so they are masked like arguments."""
        try:
            words = self._rooms.redact.logged({"reason": reason, "tool": tool, "client": arrival.client})
        except Exception:  # a refusal is recorded also when the redactor is what broke
            log.exception("a refusal could not be masked", rule=rule)
            words = dict.fromkeys(("reason", "tool", "client"), "[withheld]")
        client, said, named = (str(words[key]) for key in ("client", "reason", "tool"))
        return evidence.refusal(replace(arrival, client=client), rule, said, action_id, named if tool else "")


__all__ = ["Pipeline", "PipelineSettings", "Rooms"]
