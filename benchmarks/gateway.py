# SPDX-License-Identifier: Apache-2.0
"""What the gate costs: one echo upstream, direct and through Yett, side by side in one run.

Prints p50 and p95 of sequential calls, throughput at 1, 16 and 64 clients, the added latency against a
bare fdatasync of the same run, idle memory, and the time from start to the first tools/list. Absolute
numbers are this machine's; the ratios are what travels.

usage: gateway.py [--reps N] [--seconds S] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from load_client import Connection, run

HERE = Path(__file__).parent
CONFIGURATION = """\
version: 1
state: state
listen: {{ http: "127.0.0.1:{port}" }}
agents:
  bench: {{ roles: [caller] }}
roles:
  caller: {{}}
rules:
  - id: echo
    allow: up__echo
    to: caller
    when: {{ args.text: {{ max_len: 100000 }} }}
  - id: never
    deny: up__*
    to: "*"
    when: {{ args.text: {{ match: "**/.ssh/**" }} }}
upstreams:
  up: {{ url: "http://127.0.0.1:{upstream}/mcp" }}
"""


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def reachable(port: int, token: str | None, deadline: float = 60) -> float:
    """Seconds until the first tools/list answers."""
    started = time.perf_counter()
    while time.perf_counter() - started < deadline:
        try:
            connection = Connection(port, token)
            await connection.open()
            await connection.call("tools/list", {})
            await connection.close()
            return time.perf_counter() - started
        except (OSError, ValueError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.005)
    raise SystemExit(f"nothing answers on port {port}")


def memory_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def fdatasync_ms(folder: Path, count: int = 200) -> float:
    """The median of writing 600 bytes and fdatasync, on the disk that holds the log."""
    times = []
    descriptor = os.open(folder / "sync", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(count):
        started = time.perf_counter()
        os.write(descriptor, b"x" * 600)
        os.fdatasync(descriptor)
        times.append(time.perf_counter() - started)
    os.close(descriptor)
    return statistics.median(times) * 1000


async def measure(folder: Path, reps: int, seconds: float) -> dict:
    upstream_port, port = free_port(), free_port()
    upstream = subprocess.Popen([sys.executable, str(HERE / "echo_upstream.py"), str(upstream_port)])
    gateway = None
    try:
        await reachable(upstream_port, None)
        config = folder / "yett.yaml"
        config.write_text(CONFIGURATION.format(port=port, upstream=upstream_port))
        yett = [sys.executable, "-m", "yett"]
        issued = subprocess.run(
            [*yett, "agents", "add", "bench", "--show", "--config", str(config)],
            capture_output=True,
            text=True,
            check=True,
        )
        token = issued.stdout.split()[-1]
        subprocess.run([*yett, "gateway", "--stop", "--config", str(config)], capture_output=True, check=True)
        with (folder / "gateway.log").open("a") as log:
            gateway = subprocess.Popen([*yett, "gateway", "--config", str(config)], stdout=log, stderr=log)
        found: dict = {"first_list_s": await reachable(port, token)}
        await asyncio.sleep(2)
        found["idle_mb"] = memory_mb(gateway.pid)
        rows: dict[str, list[float]] = {}
        targets = {"direct": (upstream_port, None, "echo"), "yett": (port, token, "up__echo")}
        for _ in range(reps):
            rows.setdefault("fdatasync_p50", []).append(fdatasync_ms(folder / "state"))
            for name, (to, credential, tool) in targets.items():
                one = await run(to, credential, tool, clients=1, seconds=seconds)
                rows.setdefault(f"{name}_p50", []).append(one.percentile(0.5))
                rows.setdefault(f"{name}_p95", []).append(one.percentile(0.95))
                rows.setdefault(f"{name}_errors", []).append(one.errors)
            for clients in (1, 16, 64):
                for name, (to, credential, tool) in targets.items():
                    many = await run(to, credential, tool, clients=clients, seconds=seconds)
                    rows.setdefault(f"{name}_c{clients}", []).append(many.rate)
                    rows[f"{name}_errors"].append(many.errors)
        found |= {key: statistics.median(values) for key, values in rows.items() if "errors" not in key}
        found["errors"] = sum(rows["yett_errors"]) + sum(rows["direct_errors"])
        found["busy_mb"] = memory_mb(gateway.pid)
        return found
    finally:
        for process in (gateway, upstream):
            if process is not None:
                process.kill()
                process.wait(30)


def show(found: dict, load: float) -> None:
    added50 = found["yett_p50"] - found["direct_p50"]
    added95 = found["yett_p95"] - found["direct_p95"]
    beyond50 = added50 - found["fdatasync_p50"]
    print(f"{'sequential':<26}{'direct':>10}{'yett':>10}{'added':>10}{'ratio':>8}")
    for key, added in (("p50", added50), ("p95", added95)):
        direct, through = found[f"direct_{key}"], found[f"yett_{key}"]
        print(f"{key + ' ms':<26}{direct:>10.2f}{through:>10.2f}{added:>10.2f}{through / direct:>7.1f}x")
    print(f"{'bare fdatasync p50 ms':<26}{found['fdatasync_p50']:>10.2f}")
    print(f"{'added beyond it p50 ms':<26}{beyond50:>10.2f}   (target 1.0)")
    print(f"{'added p95 ms':<26}{added95:>10.2f}   (target 3.0)")
    print()
    print(f"{'calls/s at':<26}{'direct':>10}{'yett':>10}{'share':>10}")
    for clients in (1, 16, 64):
        direct, through = found[f"direct_c{clients}"], found[f"yett_c{clients}"]
        target = "   (target 60 %)" if clients == 16 else ""
        print(
            f"{clients:>3}{' clients':<23}{direct:>10.0f}{through:>10.0f}{100 * through / direct:>9.0f}%{target}"
        )
    print()
    print(f"{'idle memory MB':<26}{found['idle_mb']:>10.0f}   (target 80)")
    print(f"{'memory after load MB':<26}{found['busy_mb']:>10.0f}")
    print(f"{'start to tools/list s':<26}{found['first_list_s']:>10.2f}   (target 1.0)")
    print(f"errors {found['errors']}, load average before {load:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="yett-bench-") as folder:
        found = asyncio.run(measure(Path(folder), options.reps, options.seconds))
    if options.json:
        print(json.dumps(found))
    else:
        show(found, load)
    if found["errors"]:
        raise SystemExit("some calls failed; the numbers are worth nothing")


if __name__ == "__main__":
    main()
