# SPDX-License-Identifier: Apache-2.0
"""`yett serve`: what it refuses to use, what it says, and how little it takes."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_http_edge import INITIALIZE

from running import RunningGateway
from yett.shim import credential_path

RSS_LIMIT = 20 << 20


def served(gateway, agent="research-1", **options):
    return subprocess.run(
        gateway.command("serve", "--agent", agent),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        env=gateway.environment(),
        **options,
    )


def test_a_credential_that_others_can_read_is_refused(gate):
    path = credential_path(gate.path, "research-2")
    for mode in (0o640, 0o604, 0o660, 0o644):
        path.chmod(mode)
        try:
            done = served(gate, "research-2")
        finally:
            path.chmod(0o600)
        assert done.returncode == 2
        assert "others can read" in done.stderr
        assert "chmod 600" in done.stderr
        assert done.stdout == ""
    assert served(gate, "research-2").returncode == 0


def test_an_agent_without_a_credential_is_told_what_to_do(gate):
    done = served(gate, "nobody")
    assert (done.returncode, done.stdout) == (2, "")
    assert "yett agents add nobody" in done.stderr


def test_a_credential_that_is_no_good_is_told_and_stdout_stays_clean(gate):
    path = credential_path(gate.path, "stranger")
    good = path.read_text()
    try:
        path.write_text(json.dumps({**json.loads(good), "credential": gate.tokens["research-1"]}))
        done = served(gate, "stranger")
    finally:
        path.write_text(good)
    assert (done.returncode, done.stdout) == (2, "")
    assert "refused" in done.stderr
    assert gate.tokens["research-1"] not in done.stderr


def test_a_gateway_that_can_not_start_is_said_with_where_to_read_why():
    with RunningGateway() as gateway:
        gateway.stop()
        gateway.path.write_text("version: 2\n")
        done = served(gateway)
        assert (done.returncode, done.stdout) == (3, "")
        assert str(gateway.log) in done.stderr
        assert "version" in gateway.log.read_text()


def test_the_shim_imports_nothing_of_yett_and_nothing_heavy(gate):
    script = "import sys; from yett import shim; sys.stdout.write(' '.join(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=30)
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("yett")} == {"yett", "yett.shim"}
    assert loaded.isdisjoint({"asyncio", "anyio", "pydantic", "mcp", "ssl", "http.client", "typer"})


def test_the_shim_is_small(gate):
    began = time.monotonic()
    process = subprocess.Popen(
        gate.command("serve", "--agent", "research-1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=gate.environment(),
    )
    with process:
        process.stdin.write(json.dumps(INITIALIZE).encode() + b"\n")
        process.stdin.flush()
        assert b"serverInfo" in process.stdout.readline()
        took = time.monotonic() - began
        resident = rss(process.pid)
        process.stdin.close()
        assert process.wait(10) == 0
    print(f"shim: first answer after {took * 1000:.0f} ms, {resident / (1 << 20):.1f} MiB resident")
    assert resident < RSS_LIMIT


def rss(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


@pytest.mark.parametrize("words", [["--agent"], [], ["--agnet", "x"], ["research-1"]])
def test_a_wrong_command_line_is_explained(gate, words):
    command = [sys.executable, "-m", "yett", "serve", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, env=gate.environment())
    assert (done.returncode, done.stdout) == (2, "")
    assert "yett serve" in done.stderr
