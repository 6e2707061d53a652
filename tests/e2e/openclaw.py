# SPDX-License-Identifier: Apache-2.0
"""The real OpenClaw through the gate: headless turns of a scripted model.

Called by `openclaw.sh`, which has put `openclaw` in PATH. The gate's part of OpenClaw's configuration is
the text that `yett setup openclaw` prints, so that what a person would paste is what is tested. The rest
names the scripted model.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

from gateway import Checks, Gateway, free_port, gateway
from scripted_model import Call, Say, ScriptedModel, scripted_model

CONFIGURATION = """\
version: 1
trust_domain: e2e
state: state
listen: {{ http: "127.0.0.1:{port}" }}
agents:
  claw: {{ roles: [assistant] }}
roles:
  assistant: {{}}
rules:
  - id: run-in-sandbox
    allow: shell_run
    to: assistant
  - id: use-workspace
    allow: [file_read, file_list]
    to: assistant
    when: {{ args.path: {{ under: /workspace }} }}
  - id: write-after-a-yes
    ask: file_write
    to: assistant
    when: {{ args.path: {{ under: /workspace }} }}
    approval: {{ need: 1, expires: 10m }}
  - id: keep-credentials
    deny: file_*
    to: "*"
    when: {{ args.path: {{ match: ["**/.ssh/**"] }} }}
    why: Files like this hold credentials.
tools:
  shell: {{ image: yett/tiny, timeout: 20s }}
approvals: {{ hold: 1s }}
"""

TOOLS = {f"yett__{name}" for name in ("approval_status", "file_list", "file_read", "file_write", "shell_run")}
TURN = 180.0


class OpenClaw:
    """Headless turns, each in a process of its own, in a home that is not the user's."""

    def __init__(self, home: Path, model: ScriptedModel, pasted: dict) -> None:
        self.home = home
        self._model = model
        self._config = home / "openclaw.json"
        self.configure(pasted)
        (home / "work").mkdir()
        self._env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "OPENCLAW_HOME": str(home),
            "OPENCLAW_STATE_DIR": str(home / "state"),
            "OPENCLAW_CONFIG_PATH": str(self._config),
        }

    def configure(self, pasted: dict) -> None:
        """Write the configuration: the scripted model, and what was pasted."""
        settings = {**model_settings(self._model.port), **pasted}
        self._config.write_text(json.dumps(settings), encoding="utf-8")

    def validate(self) -> subprocess.CompletedProcess[str]:
        """OpenClaw's own word on the configuration."""
        return self._run("config", "validate", "--json")

    def turn(self, *script: Call | Say) -> dict:
        """Play one turn to its end; the report that OpenClaw prints."""
        self._model.play(*script)
        words = [
            "--config",
            str(self._config),
            "--cwd",
            str(self.home / "work"),
            "--json",
            "--timeout",
            "120",
        ]
        done = self._run("agent", "exec", "Please do the next step.", *words)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise SystemExit(f"openclaw ended with {done.returncode}\n{done.stdout}\n{done.stderr}") from None

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = subprocess.Popen(
            ["openclaw", *words],
            env=self._env,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=TURN)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return subprocess.CompletedProcess(words, process.returncode, out, err)


def model_settings(port: int) -> dict:
    """OpenClaw's own part: the scripted model is the only one."""
    model = {
        "id": "scripted",
        "name": "Scripted",
        "reasoning": False,
        "input": ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": 128000,
        "maxTokens": 8192,
    }
    provider = {
        "baseUrl": f"http://127.0.0.1:{port}/v1",
        "apiKey": "not-a-secret",
        "api": "openai-completions",
        "models": [model],
    }
    return {
        "models": {"mode": "replace", "providers": {"loopback": provider}},
        "agents": {"defaults": {"model": {"primary": "loopback/scripted"}}},
    }


def pasted(gate: Gateway) -> dict:
    """What `yett setup openclaw` prints below the line that says where it goes."""
    _, _, text = gate.yett("setup", "openclaw", "--agent", "claw").partition("\n")
    return json.loads(text)


def over_http(settings: dict, url: str, token: str) -> dict:
    """The same, for an OpenClaw that reaches the gateway over HTTP (docs/clients.md)."""
    server = {
        "url": url,
        "transport": "streamable-http",
        "headers": {"Authorization": f"Bearer {token}"},
        "requestTimeoutMs": 300_000,
    }
    return {**settings, "mcp": {"servers": {"yett": server}}}


def main() -> None:
    """One gateway, one OpenClaw, one turn after another."""
    checks, port = Checks(), free_port()
    with (
        gateway(CONFIGURATION.format(port=port)) as gate,
        scripted_model() as model,
        tempfile.TemporaryDirectory() as home,
    ):
        gate.yett("agents", "add", "claw")
        claw = OpenClaw(Path(home), model, pasted(gate))
        done = claw.validate()
        checks.expect(
            "OpenClaw finds what `yett setup openclaw` prints valid", not done.returncode, vars(done)
        )
        allowed_and_locked(checks, claw, model)
        denied(checks, claw, model)
        approved(checks, gate, claw, model)
        claw.configure(over_http(pasted(gate), f"http://127.0.0.1:{port}/mcp", gate.token("claw")))
        claw.turn(Call("yett__file_read", {"path": "/workspace/ledger"}), Say("done"))
        offered, said = set(model.tools), model.tool_messages[-1]
        held = offered == TOOLS and said.count("paid 120") == 1
        checks.expect(
            "over HTTP with a bearer token: the same tools, the same session", held, [offered, said]
        )
        recorded(checks, gate)
        gate.stop()
        checks.expect("the gateway ended and left no container", not gate.containers(), gate.containers())
    checks.done()


def allowed_and_locked(checks: Checks, claw: OpenClaw, model: ScriptedModel) -> None:
    """The tools that the model is offered, one that runs, and one that is not there."""
    command = "id; hostname; cat /proc/1/comm; ls /sys/class/net"
    report = claw.turn(Call("yett__shell_run", {"command": command}), Say("done"))
    checks.expect(
        "the model is offered the gate's tools and no other", set(model.tools) == TOOLS, model.tools
    )
    said = model.tool_messages[-1]
    checks.expect(
        "an allowed command runs as uid=60871", "uid=60871" in said and report.get("ok"), [said, report]
    )
    inside = said.split()[-3:] == ["sandbox", "yett-runner", "lo"]
    checks.expect("it ran in the gate's container, without a network", inside, said)
    escaped = claw.home / "escaped"
    claw.turn(Call("exec", {"command": f"touch {escaped}"}), Say("done"))
    said = model.tool_messages[-1]
    absent = "not found" in said and not escaped.exists()
    checks.expect("OpenClaw's own exec is not there when the model calls it", absent, said)


def denied(checks: Checks, claw: OpenClaw, model: ScriptedModel) -> None:
    """A denial that the model reads."""
    claw.turn(Call("yett__file_read", {"path": "/workspace/../home/kim/.ssh/id_ed25519"}), Say("done"))
    said = model.tool_messages[-1]
    held = (
        "Denied by rule keep-credentials: Files like this hold credentials." in said and "Next step" in said
    )
    checks.expect("a denial reaches the model with its rule, reason and next step", held, said)


def approved(checks: Checks, gate: Gateway, claw: OpenClaw, model: ScriptedModel) -> None:
    """A call that waits for a person, runs once after the yes, and asks again."""
    write = Call("yett__file_write", {"path": "/workspace/ledger", "content": "paid 120\n", "append": True})
    claw.turn(write, Say("I wait for the person."))
    said = model.tool_messages[-1]
    found = re.search(r"Pending approval (apr-\w+)", said)
    checks.expect("a call that a rule asks about is pending, and the model reads the id", found, said)
    approval = found.group(1) if found else ""
    shown = gate.yett("approvals", "show", approval)
    checks.expect(
        "yett approvals show has the very call", "paid 120" in shown and "file_write" in shown, shown
    )
    gate.yett("approvals", "approve", approval)
    claw.turn(write, write, Say("done"))
    first, second = model.tool_messages
    checks.expect("the same call runs after the yes", "Pending" not in first and "Denied" not in first, first)
    checks.expect(
        "the same call again asks again", "Pending approval" in second and approval not in second, second
    )
    claw.turn(Call("yett__file_read", {"path": "/workspace/ledger"}), Say("done"))
    checks.expect("it ran exactly once", model.tool_messages[-1].count("paid 120") == 1, model.tool_messages)


def recorded(checks: Checks, gate: Gateway) -> None:
    """What the log says of all that."""
    events = gate.events()
    effects = [(e["fields"]["rule"], e["fields"]["effect"]) for e in events if e["event"] == "decision"]
    wanted = [
        ("run-in-sandbox", "allow"),
        ("keep-credentials", "deny"),
        *[("write-after-a-yes", "ask")] * 3,
        *[("use-workspace", "allow")] * 2,
    ]
    checks.expect("the log holds the seven decisions in order", effects == wanted, effects)
    writes = [e for e in events if e["event"] == "intent" and e["fields"]["tool"] == "file_write"]
    checks.expect("the log holds one intent to write", len(writes) == 1, writes)
    verified = gate.yett("audit", "verify")
    checks.expect("yett audit verify is clean", "the log is whole" in verified, verified)


if __name__ == "__main__":
    main()
