# SPDX-License-Identifier: Apache-2.0
"""`yett sandbox`: build images, run a command in a container, look at one from inside, measure."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import anyio
import typer

from yett.action import JsonValue, digest_of
from yett.cli import control
from yett.cli.doctor import probe_sandbox, socket_folder
from yett.cli.output import ConfigOption, JsonFlag, complain, print_json, say, table
from yett.cli.pool import in_words, pool_of
from yett.cli.sandbox_bench import bench
from yett.cli.sandbox_build import build
from yett.errors import ConfigurationError
from yett.ports import Command
from yett.sandbox.settings import SandboxSettings
from yett.world import SystemEntropy

sandbox = typer.Typer(help="The containers that tools run in.", no_args_is_help=True)


sandbox.command("build")(build)
sandbox.command("bench")(bench)


def configured(config: str | None) -> tuple[SandboxSettings, str]:
    """The limits of a configuration file, and the name of its containers."""
    from yett.joining import sandbox_settings  # noqa: PLC0415 - see commands.py

    known = control.configuration(config)
    if known.settings.tools.shell is None:
        raise ConfigurationError("yett.yaml has no `tools.shell`", advice="yett init writes one")
    return sandbox_settings(known.settings.tools.shell), digest_of(f"cli {known.state}")[:16]


@sandbox.command("run")
def run(
    argv: Annotated[list[str], typer.Argument(help="The program and its arguments, after --.")],
    config: ConfigOption = None,
) -> None:
    """Run a program in a fresh container with the configured limits; its exit code is this one's."""
    settings, instance = configured(config)
    with socket_folder() as run_dir:
        raise typer.Exit(anyio.run(_run, settings, instance, tuple(argv), run_dir))


async def _run(settings: SandboxSettings, instance: str, argv: tuple[str, ...], run_dir: Path) -> int:
    from yett.sandbox.pool import DockerSandboxes  # noqa: PLC0415 - see commands.py

    command = Command(argv=argv, timeout=settings.timeout, output_limit=settings.output_limit)
    async with (
        DockerSandboxes(
            replace(settings, warm=0), instance=instance, run_dir=run_dir, entropy=SystemEntropy()
        ) as pool,
        pool.lease("cli") as box,
    ):
        ended = await box.run(command)
    sys.stdout.buffer.write(ended.stdout)
    sys.stderr.buffer.write(ended.stderr)
    if ended.timed_out:
        complain(f"it did not end within {settings.timeout:.0f} s and was killed")
        return 124
    return ended.exit_code if ended.exit_code is not None else 128 + (ended.signal or 0)


@sandbox.command("status")
def status(
    *,
    as_json: JsonFlag = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="The table for a page.")] = False,
    config: ConfigOption = None,
) -> None:
    """Start a container and read every control from inside; with the numbers of the gateway that runs.

    Exit 1 when a control is not as it should be.
    """
    from yett.sandbox.engine_notes import engine_notes  # noqa: PLC0415 - see commands.py
    from yett.sandbox.table import markdown  # noqa: PLC0415 - see commands.py

    settings, instance = configured(config)
    pool = pool_of(control.configuration(config))
    facts, checks = probe_sandbox(settings, instance)
    notes: list[JsonValue] = list(engine_notes(facts))
    runtimes: list[JsonValue] = [*sorted(facts.runtimes)]
    if as_json:
        print_json(
            {
                "engine": {**asdict(facts), "runtimes": runtimes, "notes": notes},
                "controls": [asdict(c) for c in checks],
                "pool": pool,
            }
        )
    elif as_markdown:
        say(markdown(checks))
    else:
        table(
            ["CONTROL", "EXPECTED", "SEEN", "", ""],
            [[c.control, c.expected, c.seen, "ok" if c.ok else "WRONG", c.note] for c in checks],
        )
        say(
            f"Engine {facts.version} on Linux {facts.kernel}: {settings.runtime} ({facts.oci or 'unknown'}),"
            f" cgroup v{facts.cgroup}, {facts.storage},"
            f" users {'mapped' if facts.userns else 'not mapped'}{', rootless' if facts.rootless else ''},"
            f" security {' '.join(facts.security)}, runtimes {' '.join(sorted(facts.runtimes))}"
        )
        for note in notes:
            say(f"Note: {note}.")
        for sentence in () if pool is None else in_words(pool):
            say(sentence)
    if not all(c.ok for c in checks):
        raise typer.Exit(1)
