# SPDX-License-Identifier: Apache-2.0
"""The official Inspector's command line against a real gateway: two transports, two protocol eras.

Called by `inspector.sh`, which has put `mcp-inspector` in PATH. Over stdio the Inspector reads the very
file that `yett setup claude-desktop` prints, so that what a person would paste is what is tested.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from gateway import Checks, Gateway, free_port, gateway

CONFIGURATION = """\
version: 1
trust_domain: e2e
state: state
listen: {{ http: "127.0.0.1:{port}" }}
agents:
  inspector: {{ roles: [developer] }}
roles:
  developer: {{}}
rules:
  - id: run-in-sandbox
    allow: shell_run
    to: developer
  - id: use-workspace
    allow: file_*
    to: developer
    when: {{ args.path: {{ under: /workspace }} }}
  - id: keep-credentials
    deny: file_*
    to: "*"
    when: {{ args.path: {{ match: ["**/.ssh/**"] }} }}
tools:
  shell: {{ image: yett/tiny, timeout: 20s }}
"""

TOOLS = {
    "approval_status",
    "file_edit",
    "file_list",
    "file_read",
    "file_search",
    "file_write",
    "shell_run",
}


ERAS = {"legacy": "2025-11-25", "modern": "2026-07-28"}
TOOL_IS_ERROR = 5
"""How the Inspector ends when a tool's result says `isError`."""


class Inspector:
    """`mcp-inspector --cli` on one server."""

    def __init__(self, target: list[str], era: str, home: Path) -> None:
        self._words = ["mcp-inspector", "--cli", *target, "--protocol-era", era, "--format", "json", "-q"]
        self._home = home

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one method in a home of its own."""
        return subprocess.run(
            [*self._words, *words], cwd=self._home, capture_output=True, text=True, timeout=120
        )

    def call(self, tool: str, **arguments: str) -> subprocess.CompletedProcess[str]:
        """Call a tool."""
        given = ["--tool-args-json", json.dumps(arguments)]
        return self.run("--method", "tools/call", "--tool-name", tool, *given)


def pasted(gate: Gateway) -> Path:
    """The file that a person makes of what `yett setup claude-desktop` prints."""
    _, _, text = gate.yett("setup", "claude-desktop", "--agent", "inspector").partition("\n")
    path = gate.folder / "mcp.json"
    path.write_text(text, encoding="utf-8")
    return path


def parsed(done: subprocess.CompletedProcess[str]) -> dict:
    """The document on stdout, or nothing."""
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return {}
    return found.get("result", found) if isinstance(found, dict) else {}


def text_of(result: dict) -> str:
    """The text of a tool's result."""
    return "\n".join(block.get("text", "") for block in result.get("content", ()))


def look(checks: Checks, name: str, era: str, inspector: Inspector) -> None:
    """Connect, list, call, and be denied."""
    revision = parsed(inspector.run("--method", "initialize")).get("protocolVersion")
    checks.expect(f"{name}: speaks revision {ERAS[era]}", revision == ERAS[era], revision)
    done = inspector.run("--method", "tools/list", "--strict")
    names = {tool["name"] for tool in parsed(done).get("tools", ())}
    checks.expect(
        f"{name}: tools/list --strict shows the tools, exit 0",
        names == TOOLS and not done.returncode,
        vars(done),
    )
    done = inspector.call("shell_run", command="id -u; hostname; echo $((6*7))")
    result = parsed(done)
    lines = text_of(result).splitlines()
    ran = len(lines) == 3 and lines[0] == "60871" and lines[2] == "42" and not result.get("isError")
    checks.expect(f"{name}: shell_run ran in a container", ran and not done.returncode, vars(done))
    done = inspector.call("file_read", path="/workspace/../home/kim/.ssh/id_ed25519")
    result = parsed(done)
    denied = result.get("isError") is True and "Denied by rule keep-credentials" in text_of(result)
    held = denied and done.returncode == TOOL_IS_ERROR
    checks.expect(f"{name}: a denial is isError and names its rule", held, vars(done))


def main() -> None:
    """Four ways to the same gate."""
    checks, port = Checks(), free_port()
    with gateway(CONFIGURATION.format(port=port)) as gate, tempfile.TemporaryDirectory() as home:
        gate.yett("agents", "add", "inspector")
        token = gate.token("inspector")
        url = f"http://127.0.0.1:{port}/mcp"
        ways = {
            "stdio": ["--config", str(pasted(gate)), "--server", "yett"],
            "http": [
                "--server-url",
                url,
                "--transport",
                "http",
                "--header",
                f"Authorization: Bearer {token}",
            ],
        }
        checks.expect("a gateway runs; `yett setup claude-desktop` printed how to reach it", True, "")
        for transport, target in ways.items():
            for era in ERAS:
                look(checks, f"{transport} {era}", era, Inspector(target, era, Path(home)))
        target = [
            "--server-url",
            url,
            "--transport",
            "http",
            "--header",
            f"Authorization: Bearer {token[:-1]}x",
        ]
        done = Inspector(target, "modern", Path(home)).run("--method", "tools/list")
        checks.expect(
            "http: a wrong token sees nothing", done.returncode and "shell_run" not in done.stdout, vars(done)
        )
        decisions = [e["fields"] for e in gate.events() if e["event"] == "decision"]
        effects = sorted(f["effect"] for f in decisions if f["agent"] == "inspector")
        checks.expect("the log holds the 8 decisions", effects == ["allow"] * 4 + ["deny"] * 4, decisions)
        verified = gate.yett("audit", "verify")
        checks.expect("yett audit verify is clean", "the log is whole" in verified, verified)
        gate.stop()
        checks.expect("the gateway ended and left no container", not gate.containers(), gate.containers())
    checks.done()


if __name__ == "__main__":
    main()
