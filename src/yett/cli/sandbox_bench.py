# SPDX-License-Identifier: Apache-2.0
"""`yett sandbox bench`: how fast sandboxes are on this machine, beside what else is here, in one run.

Prints figures and ratios, and of each target whether it was met. Ratios travel; times are the machine's.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated

import anyio
import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from yett.action import JsonValue
from yett.cli.doctor import socket_folder
from yett.cli.output import ConfigOption, JsonFlag, print_json, problems, say, table
from yett.sandbox.settings import SandboxSettings
from yett.world import SystemEntropy

if TYPE_CHECKING:
    from yett.cli.sandbox_contenders import OtherWays
    from yett.ports import Sandboxes

NEVER_USED, SESSION = "yett, never-used container", "yett, the session's container"
MILLISECOND, MEGABYTE = 1e-3, 1e6

_SESSIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured: rounds, and seconds of throughput and of strict mode."""

    rounds: int
    seconds: float
    strict_seconds: float
    kills: int


FULL = Size(rounds=31, seconds=4.0, strict_seconds=10.0, kills=15)
QUICK = Size(rounds=7, seconds=1.0, strict_seconds=3.0, kills=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to run a program: milliseconds, and its p50 as a multiple of our never-used container's."""

    name: str
    p50: float | None = None
    p95: float | None = None
    ratio: float | None = None
    absent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure of our own. `target` is what it may be at most, or at least where `least`; or nothing."""

    name: str
    value: float | None
    unit: str
    target: float | None = None
    least: bool = False

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or nothing where there is no target or no value."""
        if self.target is None or self.value is None:
            return ""
        met = self.value >= self.target if self.least else self.value <= self.target
        return "met" if met else "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole run."""

    rows: tuple[Row, ...]
    figures: tuple[Figure, ...]

    def json(self) -> JsonValue:
        """For a program."""
        return {
            "ways": [asdict(row) for row in self.rows],
            "figures": [{**asdict(figure), "verdict": figure.verdict} for figure in self.figures],
        }


def bench(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer rounds: a rough look in half a minute.")
    ] = False,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Beside docker run, docker exec, bubblewrap and a plain process."),
    ] = False,
    as_json: JsonFlag = False,
    config: ConfigOption = None,
) -> None:
    """Measure sandboxes on this machine. Exit 0 whatever the figures are: they are for reading."""
    from yett.cli.sandbox import configured  # noqa: PLC0415 - this module is part of that one
    from yett.cli.sandbox_contenders import other_ways  # noqa: PLC0415 - see commands.py

    settings = configured(config)[0] if config else SandboxSettings()
    with _shown() as on_word:
        report = run_bench(settings, QUICK if quick else FULL, other_ways if compare else None, on_word)
    if as_json:
        print_json(report.json())
    else:
        show(report)


def run_bench(
    settings: SandboxSettings,
    size: Size,
    others: OtherWays | None,
    on_word: Callable[[str], None],
) -> Report:
    """Measure everything, one thing after the other.

    Args:
        settings: image and limits of every container.
        size: how much.
        others: what to put beside ours.
        on_word: told what is being measured.

    Raises:
        SandboxUnavailable: no engine, no image.
    """
    return anyio.run(
        _run, settings, size, others, on_word, backend="asyncio", backend_options={"use_uvloop": True}
    )


async def _run(
    settings: SandboxSettings,
    size: Size,
    others: OtherWays | None,
    on_word: Callable[[str], None],
) -> Report:
    from yett.cli import sandbox_measures as measures  # noqa: PLC0415 - see commands.py

    calm = replace(settings, queue_wait=60.0, containers=32)
    cold = []
    for number in range(3):
        on_word(f"a container made on demand ({number + 1}/3)")
        cold.append(await _cold(calm))
    refill = measures.percentile(cold, 0.5)
    rows = await _rows(calm, size, others, on_word, pause=2 * refill)
    ours = {row.name: row for row in rows}
    on_word(f"{_SESSIONS} sessions at once")
    async with _pool(replace(calm, lifetime="session")) as (pool, _):
        rate = await measures.calls_a_second(pool, sessions=_SESSIONS, seconds=size.seconds)
    on_word("killing everything")
    async with _pool(replace(calm, lifetime="session")) as (pool, _):
        marker = int.from_bytes(SystemEntropy().token().encode()[:4], "big")
        kills = await measures.kill_times(pool, times=size.kills, marker=marker)
    on_word("memory of warm containers")
    before = measures.available()
    async with _pool(replace(calm, lifetime="session")) as (pool, instance):
        held = await measures.memory(
            pool, count=_SESSIONS, containers=lambda: _containers(settings, instance), before=before
        )
    on_word(f"strict mode for {size.strict_seconds:.0f} s")
    async with _pool(replace(calm, lifetime="call")) as (pool, _):
        kept_up = await measures.strict(pool, callers=4, seconds=size.strict_seconds)

    def share(times: Sequence[float] | None, part: float) -> float | None:
        return measures.percentile(times, part) / MILLISECOND if times else None

    return Report(
        rows=rows,
        figures=(
            Figure(name="never-used container, p50", value=ours[NEVER_USED].p50, unit="ms", target=5),
            Figure(name="never-used container, p95", value=ours[NEVER_USED].p95, unit="ms", target=15),
            Figure(name="session's container, p50", value=ours[SESSION].p50, unit="ms", target=3),
            Figure(name=f"{_SESSIONS} sessions", value=rate, unit="calls/s", target=1000, least=True),
            Figure(name="kill of everything, p50", value=share(kills, 0.5), unit="ms", target=10),
            Figure(name="kill of everything, p95", value=share(kills, 0.95), unit="ms"),
            Figure(
                name="a warm container, host", value=_mega(held.host if held else None), unit="MB", target=8
            ),
            Figure(
                name="a warm container, its cgroup", value=_mega(held.cgroup if held else None), unit="MB"
            ),
            Figure(name="a warm container, its shim", value=_mega(held.shim if held else None), unit="MB"),
            Figure(name="a container made on demand, p50", value=refill / MILLISECOND, unit="ms"),
            Figure(name="strict mode, 4 callers", value=kept_up.rate, unit="calls/s"),
            Figure(
                name="strict mode, failures", value=float(kept_up.failed + kept_up.refused), unit="", target=0
            ),
            Figure(name="strict mode, longest wait", value=kept_up.longest, unit="s", target=calm.queue_wait),
        ),
    )


async def _rows(
    settings: SandboxSettings,
    size: Size,
    others: OtherWays | None,
    on_word: Callable[[str], None],
    *,
    pause: float,
) -> tuple[Row, ...]:
    from yett.cli import sandbox_measures as measures  # noqa: PLC0415 - see commands.py
    from yett.cli.sandbox_contenders import Contender, lease_and_echo  # noqa: PLC0415 - see commands.py

    async with (
        _pool(replace(settings, lifetime="call")) as (once, instance),
        _pool(replace(settings, lifetime="session")) as (kept, _),
        others(settings, instance) if others is not None else nullcontext([]) as found,
    ):
        await lease_and_echo(kept, "bench")
        ways = [
            Contender(name=SESSION, call=lambda: lease_and_echo(kept, "bench")),
            *(way for way in found if isinstance(way, Contender)),
            Contender(name=NEVER_USED, call=lambda: lease_and_echo(once, "bench"), pause=pause),
        ]
        times = await measures.side_by_side(
            ways, size.rounds, lambda number: on_word(f"calls in turn, round {number}/{size.rounds}")
        )
    base = measures.percentile(times[NEVER_USED], 0.5)
    rows = [
        Row(
            name=name,
            p50=measures.percentile(seconds, 0.5) / MILLISECOND,
            p95=measures.percentile(seconds, 0.95) / MILLISECOND,
            ratio=measures.percentile(seconds, 0.5) / base,
        )
        for name, seconds in times.items()
    ]
    rows.sort(key=lambda row: row.p50 or 0.0)
    return (*rows, *(Row(name=way.name, absent=way.why) for way in found if not isinstance(way, Contender)))


async def _cold(settings: SandboxSettings) -> float:
    """Seconds of the first call of a gateway that has nothing warm."""
    from yett.cli.sandbox_contenders import lease_and_echo  # noqa: PLC0415 - see commands.py

    async with _pool(settings) as (pool, _):
        started = anyio.current_time()
        await lease_and_echo(pool, "cold")
        return anyio.current_time() - started


@asynccontextmanager
async def _pool(settings: SandboxSettings) -> AsyncIterator[tuple[Sandboxes, str]]:
    from yett.sandbox.pool import DockerSandboxes  # noqa: PLC0415 - see commands.py

    instance = SystemEntropy().id("bench")
    with socket_folder() as run_dir:
        async with DockerSandboxes(
            settings, instance=instance, run_dir=run_dir, entropy=SystemEntropy()
        ) as pool:
            yield pool, instance


def _containers(settings: SandboxSettings, instance: str) -> list[str]:
    """Ids of a pool's containers, asked of the docker command; none where there is no such command."""
    docker = shutil.which("docker")
    if docker is None:
        return []
    label = f"label=yett.gateway={instance}"
    done = subprocess.run(  # noqa: S603  (our own words)
        [docker, "--host", settings.engine, "ps", "--quiet", "--no-trunc", "--filter", label],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout.split()


def _mega(value: float | None) -> float | None:
    return None if value is None else value / MEGABYTE


def show(report: Report) -> None:
    """Two tables: the ways side by side, and our figures against their targets."""
    table(
        ["ONE CALL", "P50 MS", "P95 MS", "RATIO"],
        [
            [row.name, *(f"{row.p50:.2f} {row.p95:.2f} {row.ratio:.2f}x".split())]
            if row.p50 is not None
            else [row.name, "-", "-", f"absent ({row.absent})"]
            for row in report.rows
        ],
    )
    say("")
    table(
        ["YETT", "MEASURED", "TARGET", ""],
        [[f.name, _amount(f.value, f.unit), _target(f), f.verdict] for f in report.figures],
    )


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "cannot be seen here"
    return f"{value:,.0f} {unit}".strip() if value >= 100 or not unit else f"{value:.2f} {unit}"


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{'>=' if figure.least else '<='} {figure.target:,.0f} {figure.unit}".strip()


@contextmanager
def _shown() -> Iterator[Callable[[str], None]]:
    """Says on a terminal what is being measured; nothing elsewhere."""
    columns = (SpinnerColumn(), TimeElapsedColumn(), TextColumn("{task.fields[words]}", markup=False))
    with Progress(*columns, console=problems, transient=True, disable=not problems.is_terminal) as progress:
        task = progress.add_task("", total=None, words="starting")
        yield lambda words: progress.update(task, words=words)
