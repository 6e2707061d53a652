# SPDX-License-Identifier: Apache-2.0
"""`yett doctor`: probe each control and say what was seen, not what was set.

Exit 0 when everything holds, 1 when a control does not, 3 when something is missing. A warning is
something that holds as configured and is worth knowing.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import typer

from yett.action import digest_of
from yett.cli import control
from yett.cli.output import EXIT_NO, ConfigOption, JsonFlag, print_lines, say, table
from yett.cli.pool import in_words, pool_of, trouble_of
from yett.config.load import Configuration
from yett.errors import EnvironmentFault, ExecutionError, YettError
from yett.sandbox.settings import SandboxSettings
from yett.shim import credential_path
from yett.world import SystemEntropy

if TYPE_CHECKING:
    from yett.sandbox.engine import EngineFacts
    from yett.sandbox.verify import Control

OK, WARN, WRONG = "ok", "warning", "WRONG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One probe: what was looked at, how it stands, and what was seen."""

    probe: str
    verdict: str
    seen: str


def doctor(*, as_json: JsonFlag = False, config: ConfigOption = None) -> None:
    """Probe every control from inside and say what was seen."""
    known = control.configuration(config)
    findings = [
        *_files(known),
        *_policy(known),
        *_log(known),
        *_gateway(known),
        *_sandbox(known),
        *_limits(known),
    ]
    if as_json:
        print_lines({"probe": f.probe, "verdict": f.verdict, "seen": f.seen} for f in findings)
    else:
        table(["PROBE", "", "SEEN"], [[f.probe, f.verdict, f.seen] for f in findings])
        wrong = sum(f.verdict == WRONG for f in findings)
        warned = sum(f.verdict == WARN for f in findings)
        say(f"{len(findings)} probes, {wrong} wrong, {warned} to know about.")
    if any(f.verdict == WRONG for f in findings):
        raise typer.Exit(EXIT_NO)


def _files(known: Configuration) -> Iterator[Finding]:
    for what, path, private in (
        ("configuration", known.path, False),
        ("state folder", known.state, True),
        ("log folder", known.state / "audit", True),
        *(
            (f"credential of {name}", credential_path(known.path, name), True)
            for name in known.settings.agents
            if credential_path(known.path, name).exists()
        ),
    ):
        if not path.exists():
            yield Finding(probe=what, verdict=WARN, seen=f"{path} is not there yet")
            continue
        found = path.stat()
        mode = stat.S_IMODE(found.st_mode)
        loose = mode & (0o077 if private else 0o022)
        yield Finding(
            probe=what,
            verdict=WRONG if loose else OK,
            seen=f"{path} mode {mode:04o}" + (": others can reach it" if loose else ""),
        )


def _policy(known: Configuration) -> Iterator[Finding]:
    from yett.builtin import listed_tools  # noqa: PLC0415 - see commands.py
    from yett.joining import compile_rules  # noqa: PLC0415 - see commands.py

    try:
        compiled = compile_rules(known, listed_tools(known))
    except YettError as error:
        yield Finding(probe="rules", verdict=WRONG, seen=str(error))
        return
    findings = compiled.lint()
    failed = sum(not result.passed for result in compiled.run_tests())
    errors = [f for f in findings if f.severity.value == "error"]
    yield Finding(
        probe="rules",
        verdict=WRONG if errors or failed else OK,
        seen=f"{len(known.settings.rules)} rules, {len(findings)} lint findings, {failed} failed tests",
    )


def _log(known: Configuration) -> Iterator[Finding]:
    from yett.audit.verify import verify  # noqa: PLC0415 - see commands.py

    folder = known.state / "audit"
    if not folder.exists():
        yield Finding(probe="log", verdict=WARN, seen="there is none yet")
        return
    report = verify(folder)
    yield Finding(
        probe="log",
        verdict=OK if report.ok else WRONG,
        seen=f"{report.records} records" + ("" if report.ok else f", {report.problems[0]}"),
    )


def _gateway(known: Configuration) -> Iterator[Finding]:
    if not control.running(known):
        yield Finding(probe="gateway", verdict=WARN, seen="none runs; the next client starts one")
        return
    found = control.ask(known, "status")
    waits = isinstance(found, dict) and found.get("waits_for_apply")
    yield Finding(
        probe="gateway",
        verdict=WARN if waits else OK,
        seen="the file waits for `yett policy apply`" if waits else "runs on the applied file",
    )
    pool = pool_of(known)
    if pool is not None:
        trouble = trouble_of(pool)
        yield Finding(
            probe="containers", verdict=WRONG if trouble else OK, seen=trouble or " ".join(in_words(pool))
        )


def _limits(known: Configuration) -> Iterator[Finding]:
    """What can't be closed from here, and what it costs."""
    from yett.joining import host_and_port  # noqa: PLC0415 - see commands.py

    owner = known.state.stat().st_uid if known.state.exists() else os.getuid()
    if owner == os.getuid():
        yield Finding(
            probe="separate user",
            verdict=WARN,
            seen="the gateway's state belongs to this user: a client that this user starts can read it and"
            " answer its own approvals; run the gateway as a user of its own, clients over HTTP",
        )
    if known.settings.listen.http is not None:
        host, port = host_and_port(known.settings.listen.http)
        yield Finding(probe="HTTP", verdict=OK, seen=f"loopback only: {host}:{port}, bearer credentials")
    for name, upstream in known.settings.upstreams.items():
        if upstream.command:
            yield Finding(
                probe=f"upstream {name}",
                verdict=WARN,
                seen="its program runs on this host with the gateway's rights (`sandbox: false`)",
            )


def _sandbox(known: Configuration) -> Iterator[Finding]:
    from yett.joining import sandbox_settings  # noqa: PLC0415 - see commands.py
    from yett.sandbox.engine_notes import engine_notes  # noqa: PLC0415 - see commands.py

    shell = known.settings.tools.shell
    if shell is None:
        yield Finding(probe="sandbox", verdict=OK, seen="no shell and file tools are configured")
        return
    try:
        facts, controls = probe_sandbox(sandbox_settings(shell), digest_of(f"cli {known.state}")[:16])
    except (EnvironmentFault, ExecutionError) as error:
        yield Finding(probe="sandbox", verdict=WRONG, seen=str(error))
        return
    for found in controls:
        yield Finding(
            probe=f"sandbox {found.control}",
            verdict=OK if found.ok else WRONG,
            seen=found.seen if found.ok else f"{found.seen} instead of {found.expected}",
        )
    for note in engine_notes(facts):
        yield Finding(probe="engine", verdict=WARN, seen=note)


def probe_sandbox(settings: SandboxSettings, instance: str) -> tuple[EngineFacts, tuple[Control, ...]]:
    """Start a container and look at every control from inside; with what the engine says of itself."""
    with socket_folder() as run_dir:
        return anyio.run(_probe, settings, instance, run_dir)


async def _probe(
    settings: SandboxSettings, instance: str, run_dir: Path
) -> tuple[EngineFacts, tuple[Control, ...]]:
    from yett.sandbox.pool import DockerSandboxes  # noqa: PLC0415 - see commands.py
    from yett.sandbox.verify import verify_hardening  # noqa: PLC0415 - see commands.py

    async with (
        DockerSandboxes(
            replace(settings, warm=0), instance=instance, run_dir=run_dir, entropy=SystemEntropy()
        ) as pool,
        pool.lease("probe") as box,
    ):
        facts = await pool.engine.facts()
        return facts, await verify_hardening(box, settings, facts)


@contextmanager
def socket_folder() -> Iterator[Path]:
    """A short private folder for the sockets of one command's containers."""
    with tempfile.TemporaryDirectory(prefix="yett-", dir="/tmp") as folder:
        yield Path(folder)
