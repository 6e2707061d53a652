# SPDX-License-Identifier: Apache-2.0
"""The composition root: the only place that builds rooms and joins them.

`open_app` takes a configuration and gives an `App`: everything behind the gate, ready for a server, a
test or a command. It holds the lock of the state folder, so there is one gateway a folder. Nothing is
decided here; a room that can't be built as configured fails the start (law 5).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import anyio
import structlog

from yett import __version__, evidence
from yett.action import ApprovalRecord, ApprovalState, AuditRecord, JsonObject, JsonValue, ToolDefinition
from yett.applied import BothRedact, InForce, read_in_force
from yett.approvals.approvals import Approvals
from yett.approvals.settings import ApprovalSettings
from yett.audit.log import AuditLog
from yett.builtin import Absent, builtin_tools
from yett.config.load import Configuration
from yett.config.secrets import SecretStore
from yett.config.settings import Settings
from yett.egress.outbound import Egress
from yett.errors import ConfigurationError
from yett.identity.agents import Identity
from yett.identity.credentials import Credentials
from yett.identity.people import PeopleRegistry
from yett.identity.sessions import SessionBook
from yett.identity.settings import SessionSettings
from yett.joining import (
    audit_settings,
    compile_rules,
    egress_settings,
    identity_settings,
    people_settings,
    redactor,
    upstream_specs,
)
from yett.pipeline import Pipeline, PipelineSettings, Rooms
from yett.policy.compiled import CompiledPolicy
from yett.policy.conjunction import Conjunction
from yett.ports import Clock, Decide, Entropy, Gate, Outbound, Redact, ToolSource
from yett.privacy.vault import ClosedVault
from yett.sandboxing import OpenSandboxes, open_sandboxes
from yett.server.mcp_server import McpServer
from yett.state_folder import key_in, locked, prepare
from yett.store.sqlite import SqliteStore
from yett.swap import SwapDecide, SwapOutbound, SwapRedact
from yett.tools.outputs import KeptOutputs
from yett.tools.toolbox import BuiltinTools, Toolbox
from yett.upstreams.upstreams import Upstreams
from yett.world import SystemClock, SystemEntropy

log = structlog.get_logger("yett.app")

HOLD_AUTO = 4.0
"""Seconds a call is held for a person when the client's own time-out is unknown: under OpenAI's 5 s."""


@dataclass(slots=True, kw_only=True)
class App:
    """Everything behind the gate. Fields are the rooms; methods exchange what a reload may exchange."""

    in_force: InForce
    clock: Clock
    audit: AuditLog
    credentials: Credentials
    people: PeopleRegistry
    sessions: SessionBook
    identity: Identity
    approvals: Approvals
    toolbox: Toolbox
    policies: tuple[CompiledPolicy, ...]
    decide: SwapDecide
    redact: SwapRedact
    outbound: SwapOutbound
    sandboxes: OpenSandboxes | None
    outputs: KeptOutputs
    upstreams: Upstreams | None
    tools_moved: Bell
    lists_moved: Bell
    pipeline: Pipeline
    mcp: McpServer

    @property
    def settings(self) -> Settings:
        """What is in force."""
        return self.in_force.settings

    def enforce(self, in_force: InForce) -> None:
        """Put other settings in force: everything is built and checked first, then exchanged at once.

        Waits for nobody: two changes can't overlap, and no client can hold one up.

        Raises:
            ConfigurationError: the new settings can't be enforced; nothing has changed.
        """
        policies = _policies(in_force, self.toolbox.all())
        redact = _redact(in_force)
        outbound = _outbound(in_force)
        self.in_force = in_force
        self.policies = policies
        self.decide.current = _joined(policies)
        self.redact.current = redact
        self.outbound.current = outbound
        self.identity.replace_settings(identity_settings(in_force.settings))
        self.people.replace_settings(people_settings(in_force.settings))
        self.lists_moved.ring()

    def refresh_tools(self) -> None:
        """Take the upstreams' tools as they are now, with rules compiled for them, and tell clients."""
        taken = self.toolbox.refresh()
        if taken:
            log.error("a tool's name is taken and it is not served", tools=list(taken))
        self.policies = _policies(self.in_force, self.toolbox.all())
        self.decide.current = _joined(self.policies)
        self.lists_moved.ring()

    async def system(self, what: str, **fields: JsonValue) -> None:
        """Record something that happened to the gate itself."""
        detail: JsonObject = {"what": what, **fields}
        await self.audit.commit(AuditRecord(event="system", fields=detail))


@asynccontextmanager
async def open_app(configuration: Configuration, *, serving: bool = True) -> AsyncIterator[App]:
    """Build everything for a configuration.

    Args:
        configuration: as read from the file.
        serving: False builds no sandboxes and no upstreams, for commands that only look or administer.

    Raises:
        AlreadyRunning: another process holds the state folder.
        ConfigurationError: something configured can't be enforced.
        EnvironmentFault: the machine lacks something.
    """
    async with AsyncExitStack() as stack:
        late: list[Pipeline] = []
        below = await _foundation(configuration, stack, gate=lambda: late[0], serving=serving)
        settings, state = below.in_force.settings, configuration.state
        outbound = SwapOutbound(_outbound(below.in_force))
        upstreams, tools_moved = None, Bell()
        if serving and settings.upstreams:
            specs = upstream_specs(settings, _secrets(configuration))
            upstreams = Upstreams(specs, on_change=tools_moved.ring)
            await stack.enter_async_context(upstreams.running())
        tools = builtin_tools(
            below.in_force.applied,
            sandboxes=below.sandboxes.serving if below.sandboxes else Absent(),
            outbound=outbound,
            gate=lambda: late[0],
            approve=below.approvals,
            outputs=below.outputs,
        )
        sources: tuple[ToolSource, ...] = (BuiltinTools(tools),)
        if upstreams is not None:
            sources += (upstreams,)
        toolbox = Toolbox(sources)
        policies = _policies(below.in_force, toolbox.all())
        decide, redact = SwapDecide(_joined(policies)), SwapRedact(_redact(below.in_force))
        hold = HOLD_AUTO if settings.approvals.hold == "auto" else settings.approvals.hold
        rooms = Rooms(
            identify=below.identity,
            sessions=below.sessions,
            catalog=toolbox,
            vault=ClosedVault(),
            decide=decide,
            redact=redact,
            approve=below.approvals,
            execute=toolbox,
            audit=below.audit,
            clock=below.clock,
            entropy=below.entropy,
        )
        pipeline = Pipeline(rooms, PipelineSettings(hold=hold))
        late.append(pipeline)
        mcp = McpServer(
            gate=pipeline,
            identify=below.identity,
            catalog=toolbox,
            decide=decide,
            state_key=key_in(state / "request-state.key"),
            version=__version__,
        )
        yield App(
            in_force=below.in_force,
            clock=below.clock,
            audit=below.audit,
            credentials=below.credentials,
            people=below.people,
            sessions=below.sessions,
            identity=below.identity,
            approvals=below.approvals,
            toolbox=toolbox,
            policies=policies,
            decide=decide,
            redact=redact,
            outbound=outbound,
            sandboxes=below.sandboxes,
            outputs=below.outputs,
            upstreams=upstreams,
            tools_moved=tools_moved,
            lists_moved=Bell(),
            pipeline=pipeline,
            mcp=mcp,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Foundation:
    """What the steps of the pipeline stand on: the lock, the log, the store, who calls, who approves."""

    in_force: InForce
    clock: Clock
    entropy: Entropy
    audit: AuditLog
    credentials: Credentials
    people: PeopleRegistry
    sessions: SessionBook
    identity: Identity
    approvals: Approvals
    sandboxes: OpenSandboxes | None
    outputs: KeptOutputs


async def _foundation(
    configuration: Configuration, stack: AsyncExitStack, *, gate: Callable[[], Gate], serving: bool
) -> _Foundation:
    state = configuration.state
    prepare(state)
    stack.enter_context(locked(state / "gateway.lock"))
    in_force = read_in_force(configuration)
    settings = in_force.settings
    clock, entropy = SystemClock(), SystemEntropy()
    audit = AuditLog(state / "audit", audit_settings(settings), clock)
    lost = audit.open()
    stack.callback(audit.close)
    store = SqliteStore(state / "yett.db")
    await store.open()
    stack.push_async_callback(store.close)
    sandboxes = None
    if serving and settings.tools.shell is not None:
        opened = open_sandboxes(settings.tools.shell, state, clock=clock, entropy=entropy, gate=gate)
        sandboxes = await stack.enter_async_context(opened)

    outputs = KeptOutputs()

    async def session_ended(session: str) -> None:
        outputs.end(session)
        if sandboxes is not None:
            await sandboxes.serving.end(session)

    credentials = Credentials(store, clock, entropy)
    await credentials.load()
    sessions = SessionBook(
        store=store,
        clock=clock,
        entropy=entropy,
        settings=SessionSettings(idle_limit=settings.sessions.idle),
        on_end=session_ended,
    )
    await sessions.load()
    if lost:
        await sessions.mark_unclean()
    stack.push_async_callback(sessions.close)

    async def approval_moved(record: ApprovalRecord, previous: ApprovalState | None, by: str) -> None:
        await audit.commit(evidence.approval_moved(record, previous, by))

    approvals = Approvals(
        store=store,
        clock=clock,
        entropy=entropy,
        notify=LogNotify(),
        settings=ApprovalSettings(pending_per_agent=settings.approvals.max_pending),
        on_transition=approval_moved,
    )
    await approvals.recover()
    return _Foundation(
        in_force=in_force,
        clock=clock,
        entropy=entropy,
        audit=audit,
        credentials=credentials,
        people=PeopleRegistry(people_settings(settings), credentials),
        sessions=sessions,
        identity=Identity(
            settings=identity_settings(settings), credentials=credentials, sessions=sessions, clock=clock
        ),
        approvals=approvals,
        sandboxes=sandboxes,
        outputs=outputs,
    )


class Bell:
    """Wakes one waiter; several rings before it wakes are one."""

    def __init__(self) -> None:
        self._rung = anyio.Event()

    def ring(self) -> None:
        """Something happened."""
        self._rung.set()

    async def wait(self) -> None:
        """Until the next ring."""
        await self._rung.wait()
        self._rung = anyio.Event()


class LogNotify:
    """Tells the operator's log that something waits (`ports.Notify`)."""

    def approval_pending(self, record: ApprovalRecord) -> None:
        """One line, without arguments."""
        log.info(
            "approval pending", approval=record.id, agent=record.agent, tool=record.tool, rule=record.rule
        )


def _policies(in_force: InForce, tools: tuple[ToolDefinition, ...]) -> tuple[CompiledPolicy, ...]:
    """The rules of every configuration that binds; lint errors and failed tests refuse them."""
    policies = tuple(compile_rules(configuration, tools) for configuration in in_force.configurations)
    for policy in policies:
        wrong = [f"{f.rule}: {f.message}" for f in policy.lint() if f.severity.value == "error"]
        wrong += [f"test {r.number}: expected {r.expected.value}" for r in policy.run_tests() if not r.passed]
        if wrong:
            raise ConfigurationError(
                f"the rules contradict themselves: {wrong[0]}", advice="yett policy lint; yett policy test"
            )
    return policies


def _joined(policies: tuple[CompiledPolicy, ...]) -> Decide:
    return policies[0] if len(policies) == 1 else Conjunction(policies)


def _redact(in_force: InForce) -> Redact:
    key = key_in(in_force.applied.state / "fingerprint.key")
    first, *rest = (redactor(configuration.settings, key) for configuration in in_force.configurations)
    return BothRedact(first, rest[0]) if rest else first


def _outbound(in_force: InForce) -> Outbound:
    return Egress(egress_settings(in_force.settings, _secrets(in_force.applied)))


def _secrets(configuration: Configuration) -> SecretStore:
    return SecretStore(configuration.path.parent / "secrets")
