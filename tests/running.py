# SPDX-License-Identifier: Apache-2.0
"""A real gateway for tests: its own process, folder, port and credentials; and what tests say to it.

`RunningGateway` writes `yett.yaml`, starts `yett gateway`, issues credentials over the operator's line
and gives everything a client needs. `witness.py` sees what ran.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from witness import Witness, free_port
from yett import shim
from yett.audit.tail import tail
from yett.audit.verify import verify
from yett.cli import control
from yett.cli.agents import store_for_shim
from yett.config.load import load

START_DEADLINE = 30.0
ERAS = ("auto", "legacy")
TRANSPORTS = ("stdio", "http")
EDGE_SECRET = "s1te-cr3dential-0f-the-edge"


def by(method):
    return {"args.method": method}


RULES = [
    {"id": "free", "allow": "http_request", "to": "writer", "when": by("GET")},
    {
        "id": "asked",
        "ask": "http_request",
        "to": "writer",
        "when": by("POST"),
        "approval": {"need": 1, "expires": "10m"},
    },
    {
        "id": "asked-of-people",
        "ask": "http_request",
        "to": "writer",
        "when": by("PUT"),
        "approval": {"approvers": ["finance"], "expires": "10m"},
    },
    {
        "id": "never",
        "deny": "http_request",
        "to": "*",
        "when": {"http.path": {"match": ["/never"]}},
        "why": "That place is closed.",
    },
]
SHELL_RULE = {"id": "shell", "allow": "shell_run", "to": "writer"}


class RunningGateway:
    """One gateway in a temporary folder. `with` starts it and ends it; every part can be used alone."""

    def __init__(self, *, witness=None, rules=None, start=True, **sections):
        self.folder = Path(tempfile.mkdtemp(prefix="yg"))
        self.witness = witness or Witness()
        self._owns_witness = witness is None
        self.port = free_port()
        self.tokens = {}
        self.process = None
        self.sections = {
            "version": 1,
            "state": str(self.folder / "s"),
            "listen": {"http": f"127.0.0.1:{self.port}"},
            "agents": {
                "research-1": {"roles": ["writer"]},
                "research-2": {"roles": ["writer"]},
                "stranger": {},
            },
            "people": {"kim": {"groups": ["finance"]}},
            "roles": {"writer": {}},
            "rules": RULES if rules is None else rules,
            "tools": {"http": {}},
            "approvals": {"hold": "0.1s", "max_pending": 500},
            "egress": {"allow": [{"host": "127.0.0.1", "ports": [self.witness.port], "private": True}]},
            **sections,
        }
        self.write()
        self._start = start

    @property
    def path(self):
        return self.folder / "c" / "yett.yaml"

    @property
    def state(self):
        return self.folder / "s"

    @property
    def audit(self):
        return self.state / "audit"

    @property
    def log(self):
        return self.state / "gateway.log"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/mcp"

    def write(self, **sections):
        """Write the file, with some sections changed."""
        self.sections |= sections
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        fresh = self.path.with_suffix(".tmp")
        fresh.write_text(json.dumps(self.sections, indent=1), encoding="utf-8")
        fresh.replace(self.path)

    def __enter__(self):
        try:
            if self._start:
                self.start()
                self.issue_all()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def command(self, *words):
        return [sys.executable, "-m", "yett", *words, "--config", str(self.path)]

    def spawn(self):
        """Start the process and don't wait for it."""
        self.state.mkdir(mode=0o700, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command("gateway"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
            )

    def environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("YETT_", "COV_"))}
        return kept | {"YETT_SECRET_SITE": EDGE_SECRET}

    def start(self):
        """Start it and wait until it listens everywhere."""
        self.spawn()
        deadline = time.monotonic() + START_DEADLINE
        while not self.listens():
            assert self.process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, "the gateway did not start in time"
            time.sleep(0.02)

    def listens(self):
        for name in ("gateway.sock", "control.sock"):
            link = shim.connect(str(self.state / name))
            if link is None:
                return False
            link.close()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def run_to_end(self):
        """Start one that is expected to refuse: its exit code and what it said."""
        done = subprocess.run(
            self.command("gateway"),
            capture_output=True,
            text=True,
            timeout=START_DEADLINE,
            env=self.environment(),
        )
        return done.returncode, done.stdout + done.stderr

    def kill(self):
        """SIGKILL: no goodbye of any sort."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """An orderly end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(15)

    def restart(self):
        self.stop()
        self.start()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self._owns_witness:
            self.witness.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, verb, **arguments):
        """The operator's line. Only to a gateway that runs: nothing is started here."""
        assert self.listens()
        return control.ask(load(self.path), verb, **arguments)

    def issue_all(self):
        for agent in self.sections["agents"]:
            self.issue(agent)

    def issue(self, agent):
        token = self.ask("agents.add", name=agent)
        self.tokens[agent] = token
        store_for_shim(load(self.path), agent, token)

    def shim_parameters(self, agent="research-1"):
        command, *arguments = self.command("serve", "--agent", agent)
        return StdioServerParameters(command=command, args=arguments, env=self.environment())

    @asynccontextmanager
    async def client(self, transport="http", *, mode="auto", agent="research-1", **options):
        """The official client, connected."""
        options = {"mode": mode, "cache": None, **options}
        if transport == "stdio":
            async with Client(self.shim_parameters(agent), **options) as client:
                yield client
            return
        headers = {"Authorization": f"Bearer {self.tokens[agent]}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=30) as http_client,
            Client(streamable_http_client(self.url, http_client=http_client), **options) as client,
        ):
            yield client

    def fetching(self, path, method="GET", **arguments):
        """The arguments of a request to the witness: GET is free, POST asks, PUT asks people."""
        return {"url": self.witness.url(path), "method": method, **arguments}

    async def fetch(self, client, path, method="GET", **arguments):
        """Make that request through the gate."""
        return await client.call_tool("http_request", self.fetching(path, method, **arguments))

    def post(self, body, *, token="", agent="research-1", headers=None, method="POST", path="/mcp"):
        """One raw HTTP request: status, headers and body. `body` is sent as it is."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        given = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2025-06-18",
        }
        if token is not None:
            given["Authorization"] = f"Bearer {token or self.tokens[agent]}"
        given |= headers or {}
        try:
            link.request(method, path, body=body, headers={k: v for k, v in given.items() if v is not None})
            answer = link.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            link.close()

    def records(self, event=None):
        """What the log holds: (event, action, fields) of each record, oldest first."""
        found = []
        for record in tail(self.audit, 100_000):
            own = record["unmapped"]["yett"]
            if event in {None, own["event"]}:
                found.append((own["event"], own.get("action", ""), own.get("fields", {})))
        return found

    def of_call(self, path):
        """The events of every call for a path of the witness, with their fields."""
        url = self.witness.url(path)
        ours = [a for e, a, f in self.records("decision") if (f.get("arguments") or {}).get("url") == url]
        return [(e, f) for e, a, f in self.records() if a in ours]

    def verified(self):
        report = verify(self.audit)
        assert report.ok, [str(p) for p in report.problems]
        return report

    def pending(self):
        return [row["id"] for row in self.ask("approvals.list")]


@pytest.fixture(scope="session")
def gate():
    """One gateway for every test that leaves it as it was; a test uses paths of its own."""
    with RunningGateway() as gateway:
        yield gateway


@pytest.fixture(scope="session")
def shell_gate(tiny_image):
    """A gateway with `shell_run`, and a credential that the edge puts in for the witness."""
    with RunningGateway(start=False) as gateway:
        site = f"127.0.0.1:{gateway.witness.port}"
        gateway.write(
            rules=[*RULES, SHELL_RULE],
            tools={"http": {}, "shell": {"image": tiny_image, "timeout": "20s"}},
            egress={
                **gateway.sections["egress"],
                "credentials": {site: {"header": "X-Site-Key", "value": "Key ${secret:site}"}},
            },
        )
        gateway.start()
        gateway.issue_all()
        yield gateway


@contextmanager
def raw_line(gateway, agent="research-1", token=None):
    """A line to the gateway's socket that has said a good hello, as a file of lines."""
    link = shim.connect(str(gateway.state / "gateway.sock"))
    link.settimeout(15)
    with link, link.makefile("rwb") as lines:
        hello = {"yett": 1, "agent": agent, "credential": token or gateway.tokens[agent]}
        lines.write(json.dumps(hello).encode() + b"\n")
        lines.flush()
        yield link, lines, json.loads(lines.readline())


def meta(result):
    return result.meta or {}


def rule_of(result):
    """The rule of a denial."""
    assert result.is_error, result
    return meta(result)["yett/denial"]["rule"]


def approval_of(result):
    return meta(result)["yett/approval"]["id"]


def text_of(result):
    return "\n".join(block.text for block in result.content)


async def until(condition, seconds=15.0):
    """Wait for a condition; fail when it does not come true in time."""
    with anyio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110  # the condition is outside of this process
            await anyio.sleep(0.02)
