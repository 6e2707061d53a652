# SPDX-License-Identifier: Apache-2.0
"""A whole gate in memory for scenario tests: the real pipeline, policy, privacy and approvals.

Only what touches the outside is replaced, by rooms whose behaviour a test can script: `Tray` is a
tool that records what ran, `MemoryAudit` is the log, `Door` is identity.
"""

from __future__ import annotations

from dataclasses import replace

import anyio

from yett import evidence
from yett.action import (
    UNTRUSTED,
    Arrival,
    Authorized,
    Kind,
    Principal,
    Request,
    Secret,
    ToolDefinition,
    ToolResult,
    Transport,
    Vote,
)
from yett.approvals.approvals import Approvals
from yett.approvals.settings import ApprovalSettings
from yett.errors import Unauthenticated
from yett.pipeline import Pipeline, PipelineSettings, Rooms
from yett.policy.compiler import compile_policy
from yett.policy.source import AgentSpec, PolicySource
from yett.ports import Session
from yett.privacy.redactor import Redactor
from yett.privacy.settings import PrivacySettings
from yett.privacy.vault import ClosedVault
from yett.testing import FrozenClock, MemoryAudit, MemoryNotify, MemoryStore, SeededEntropy
from yett.tools.approval_status import ApprovalStatus
from yett.tools.toolbox import BuiltinTools, Toolbox

ALLOW = {"id": "allow-note", "allow": "note", "to": "writer"}
ASK = {"id": "ask-note", "ask": "note", "to": "writer", "approval": {"need": 1, "expires": "10m"}}
OWN = {"id": "own", "allow": "approval_status", "to": "*"}

SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "path": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


class Tray:
    """A tool that keeps what it was given; a test may script its result, its fault or its slowness."""

    def __init__(self, name="note", target="egress", timeout=5.0, labels=frozenset({UNTRUSTED})):
        self.definition = ToolDefinition(
            name=name,
            description="Keeps a note.",
            input_schema=SCHEMA,
            target=target,
            timeout=timeout,
            result_labels=labels,
        )
        self.ran = []
        self.result = ToolResult.text("kept")
        self.fault = None
        self.started = anyio.Event()
        self.wait = None
        self.ended = []

    async def run(self, call: Authorized) -> ToolResult:
        self.ran.append(call.action.arguments)
        self.started.set()
        try:
            if self.wait is not None:
                await self.wait.wait()
        finally:
            self.ended.append(call.action.id)
        if self.fault is not None:
            raise self.fault
        return self.result


class Door:
    """Identity by agent name in the credential, and sessions that remember their labels."""

    def __init__(self, agents=("research-1", "research-2")):
        self.agents = set(agents)
        self.labels = {}
        self.label_writes = []
        self.fail_labels = None

    async def identify(self, arrival):
        name = arrival.credential.reveal() if arrival.credential else None
        if name not in self.agents:
            raise Unauthenticated("No such credential.")
        return Principal(
            agent=name,
            id=f"spiffe://test/agent/{name}",
            session=f"ses-{name}",
            lineage=f"ses-{name}",
            labels=self.labels.get(f"ses-{name}", frozenset()),
            transport=arrival.transport,
            source_ip=arrival.source_ip,
        )

    async def still(self, principal):
        if principal.agent not in self.agents:
            raise Unauthenticated("No such agent.")
        session = await self.continue_or_open(principal.agent, principal.user)
        return replace(principal, labels=principal.labels | session.labels)

    async def continue_or_open(self, agent, user):
        return Session(id=f"ses-{agent}", lineage=f"ses-{agent}")

    async def label(self, session, labels):
        if self.fail_labels:
            raise self.fail_labels
        self.label_writes.append((session, labels))
        self.labels[session] = self.labels.get(session, frozenset()) | labels

    async def end(self, session):
        self.labels.pop(session, None)


class World:
    """The gate and its rooms."""

    def __init__(self, rules=(ALLOW,), *, tray=None, hold=0.01, store=None, privacy=None, clock=None):
        self.clock = clock or FrozenClock()
        self.entropy = SeededEntropy()
        self.audit = MemoryAudit()
        self.door = Door()
        self.tray = tray or Tray()
        self.store = store or MemoryStore()
        self.notify = MemoryNotify()

        async def moved(record, previous, by):
            await self.audit.commit(evidence.approval_moved(record, previous, by))

        self.approvals = Approvals(
            store=self.store,
            clock=self.clock,
            entropy=self.entropy,
            notify=self.notify,
            settings=ApprovalSettings(),
            on_transition=moved,
        )
        self.toolbox = Toolbox(
            (BuiltinTools((self.tray, ApprovalStatus(self.approvals, lambda: self.gate))),)
        )
        self.redact = Redactor(privacy or PrivacySettings(key=Secret("k" * 32)))
        self.rooms = Rooms(
            identify=self.door,
            sessions=self.door,
            catalog=self.toolbox,
            vault=ClosedVault(),
            decide=self.policy(rules),
            redact=self.redact,
            approve=self.approvals,
            execute=self.toolbox,
            audit=self.audit,
            clock=self.clock,
            entropy=self.entropy,
        )
        self.gate = Pipeline(self.rooms, PipelineSettings(hold=hold, grace=0.05, cleanup=1.0))

    def policy(self, rules):
        return compile_policy(
            PolicySource(
                roles={"writer": ()},
                agents={
                    "research-1": AgentSpec(roles=("writer",)),
                    "research-2": AgentSpec(roles=("writer",)),
                },
                rules=(*rules, OWN),
                approvers=frozenset({"kim", "finance"}),
                tools=self.toolbox.all(),
            )
        )

    def use(self, **rooms):
        """Exchange rooms, as a fault or a reload would."""
        values = {name: getattr(self.rooms, name) for name in Rooms.__dataclass_fields__}
        self.rooms = Rooms(**{**values, **rooms})
        self.gate = Pipeline(self.rooms, PipelineSettings(hold=0.01, grace=0.05, cleanup=1.0))

    async def call(
        self, name="note", arguments=None, *, agent="research-1", dialogue=None, answer=None, elicit=False
    ):
        request = Request(
            kind=Kind.TOOL,
            name=name,
            arguments={"text": "hello"} if arguments is None else arguments,
            arrival=Arrival(
                transport=Transport.STDIO, credential=Secret(agent) if agent else None, can_elicit=elicit
            ),
            answer=answer,
        )
        return await self.gate.pass_(request, dialogue)

    async def approve(self, approval, *, yes=True, by="operator:root"):
        return await self.approvals.vote(approval, Vote(by=by, approve=yes, at=self.clock.now()), frozenset())

    async def asked(self):
        """The id of the first open question, as soon as there is one."""
        with anyio.fail_after(5):
            while not self.notify.pending:  # noqa: ASYNC110 - the in-memory room has no event to wait for
                await anyio.sleep(0.001)
        return self.notify.pending[0].id

    def events(self):
        return [record.event for record in self.audit.records]

    def rules_recorded(self):
        return [record.fields.get("rule") for record in self.audit.records]


def text_of(reply):
    return "\n".join(block["text"] for block in reply.result.content)


def denial_of(reply):
    assert reply.result.is_error
    return reply.result.meta["yett/denial"]


def approval_of(reply):
    return reply.result.meta["yett/approval"]["id"]
