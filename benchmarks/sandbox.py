# SPDX-License-Identifier: Apache-2.0
"""A call in a sandbox, side by side in one run: ours, docker run, docker exec, bubblewrap, llm-sandbox, a plain process.

The same measuring as `yett sandbox bench --compare`, and the PyPI package llm-sandbox besides, in a virtual environment of its
own (.build/llm-sandbox, made here): it is no dependency of Yett. Absolute numbers are this machine's; the ratios are
what travels.

usage: sandbox.py [--quick] [--json] [--markdown]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import venv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from yett.cli.sandbox_bench import FULL, QUICK, Report, run_bench, show
from yett.cli.sandbox_contenders import Absent, Contender, other_ways
from yett.errors import SandboxUnavailable
from yett.sandbox.settings import SandboxSettings

PEER = "llm-sandbox[docker]==0.3.46"
NAME = "llm-sandbox 0.3.46, open session"
FOLDER = Path(__file__).parents[1] / ".build" / "llm-sandbox"
# Its session is opened once, as its users would; what is timed is `execute_command` in it. No network, no log, as ours.
HELPER = """
import sys
from llm_sandbox import SandboxSession

settings = {"entrypoint": "/bin/sleep", "command": "3600", "network_mode": "none", "init": True, "user": "65534:65534"}
with SandboxSession(
    image=sys.argv[1], lang="python", keep_template=True, skip_environment_setup=True, runtime_configs=settings, workdir="/tmp"
) as session:
    for line in sys.stdin:
        print(session.execute_command("/bin/echo hi").stdout.strip(), flush=True)
"""


def install_peer() -> Path | None:
    """The Python that has llm-sandbox, or None where pip cannot get it."""
    python = FOLDER / "bin" / "python"
    check = [str(python), "-c", "import llm_sandbox.docker"]
    if python.exists() and subprocess.run(check, capture_output=True).returncode == 0:
        return python
    venv.create(FOLDER, with_pip=True, clear=True)
    done = subprocess.run([str(python), "-m", "pip", "-q", "install", PEER], capture_output=True, timeout=300)
    return python if done.returncode == 0 else None


@asynccontextmanager
async def every_way(settings: SandboxSettings, label: str) -> AsyncIterator[list[Contender | Absent]]:
    """What the command compares with, and llm-sandbox."""
    async with other_ways(settings, label) as ways:
        python = await anyio.to_thread.run_sync(install_peer)
        if python is None:
            yield [*ways, Absent(name=NAME, why="pip could not install it")]
            return
        async with await anyio.open_process(
            [str(python), "-c", HELPER, settings.image], stderr=None
        ) as helper:
            assert helper.stdin is not None and helper.stdout is not None

            said = BufferedByteReceiveStream(helper.stdout)

            async def call() -> None:
                with anyio.fail_after(60):
                    await helper.stdin.send(b"\n")
                    answer = await said.receive_until(b"\n", 4096)
                if answer != b"hi":
                    raise SandboxUnavailable(f"llm-sandbox did not run: {answer!r}")

            yield [*ways, Contender(name=NAME, call=call)]
            await helper.stdin.aclose()
            with anyio.move_on_after(30):  # its close waits ten seconds for the container
                await helper.wait()


def markdown(report: Report) -> str:
    """The tables as the README has them."""
    lines = ["| one call | p50 ms | p95 ms | ratio |", "|---|---|---|---|"]
    for row in report.rows:
        told = (
            f"{row.p50:.2f} | {row.p95:.2f} | {row.ratio:.2f}x"
            if row.p50 is not None
            else f"- | - | {row.absent}"
        )
        lines.append(f"| {row.name} | {told} |")
    lines += ["", "| yett | measured | target | |", "|---|---|---|---|"]
    for figure in report.figures:
        value = "-" if figure.value is None else f"{figure.value:.2f} {figure.unit}"
        target = "" if figure.target is None else f"{'>=' if figure.least else '<='} {figure.target:g}"
        lines.append(f"| {figure.name} | {value} | {target} | {figure.verdict} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    report = run_bench(
        SandboxSettings(),
        QUICK if options.quick else FULL,
        every_way,
        lambda word: print(f"  {word}", file=sys.stderr) if sys.stderr.isatty() else None,
    )
    if options.json:
        print(json.dumps(report.json()))
    elif options.markdown:
        print(markdown(report))
    else:
        show(report)


if __name__ == "__main__":
    main()
