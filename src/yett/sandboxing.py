# SPDX-License-Identifier: Apache-2.0
"""The containers of a gateway, joined: pool, proxy of the programs, watched workspace, proof.

Called by `app.py` only. What crashed gateways left is removed before the first container is made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from yett.action import JsonObject
from yett.config.settings import Shell
from yett.egress.interception import Interception
from yett.egress.program_proxy import ProgramProxy
from yett.joining import sandbox_settings, with_authority
from yett.ports import Clock, Entropy, Forward, Gate, Sandbox, Sandboxes
from yett.proving import Look, ProvenSandboxes
from yett.sandbox.pool import DockerSandboxes
from yett.sandbox.quota import WorkspaceQuota
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.verify import verify_hardening
from yett.sandbox.watched import WatchedSandboxes
from yett.state_folder import check_apart, instance_of, run_dir_of


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSandboxes:
    """What serves calls, and the pool that it takes containers from."""

    serving: ProvenSandboxes
    pool: DockerSandboxes
    limits: SandboxSettings

    def status(self) -> JsonObject:
        """The pool's numbers, for an operator; `sandbox/status.py` says what each one means."""
        proven, problem = self.serving.standing
        limits = self.limits
        return {
            "driver": limits.driver,
            "image": limits.image,
            "proven": proven,
            "problem": problem,
            "limit": limits.containers,
            "wanted_warm": limits.warm,
            **asdict(self.pool.status()),
        }


@asynccontextmanager
async def open_sandboxes(
    shell: Shell, state: Path, *, clock: Clock, entropy: Entropy, gate: Callable[[], Gate]
) -> AsyncIterator[OpenSandboxes]:
    """The containers, until the body ends.

    Args:
        shell: as configured.
        state: the state folder, which names the gateway.
        clock: for certificates and the proof.
        entropy: for names and one-time secrets.
        gate: gives the gate when a program's request comes; it is built after this.

    Raises:
        ConfigurationError: something configured can't be enforced.
        SandboxUnavailable: the engine does not answer.
    """
    limits = sandbox_settings(shell)
    forward: Forward | None = None
    if shell.network == "egress":
        interception = Interception(clock.now())
        limits = with_authority(limits, interception.authority)
        forward = ProgramProxy(gate, interception).serve
    run_dir = run_dir_of(state)
    if limits.workspace is not None:
        check_apart(Path(limits.workspace.path), run_dir, limits.engine)
    pool = DockerSandboxes(
        limits, instance=instance_of(state), run_dir=run_dir, entropy=entropy, forward=forward
    )
    await pool.reap()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(pool)
        containers: Sandboxes = pool
        if limits.workspace is not None and limits.workspace.writable:
            watched = WatchedSandboxes(pool, WorkspaceQuota(limits.workspace))
            containers = await stack.enter_async_context(watched)
        serving = ProvenSandboxes(containers, _look(pool, limits), clock, limits.start_deadline)
        yield OpenSandboxes(serving=serving, pool=pool, limits=limits)


def _look(pool: DockerSandboxes, limits: SandboxSettings) -> Look:
    """What in a container is not as configured, one sentence each."""

    async def look(box: Sandbox) -> tuple[str, ...]:
        controls = await verify_hardening(box, limits, await pool.engine.facts())
        return tuple(
            f"{c.control} is {c.seen}, not {c.expected}" + (f" ({c.note})" if c.note else "")
            for c in controls
            if not c.ok
        )

    return look
