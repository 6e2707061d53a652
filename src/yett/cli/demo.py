# SPDX-License-Identifier: Apache-2.0
"""`yett demo`: the main job on real input, told as a story.

A real gateway in a folder of its own, the official MCP client over stdio and over HTTP, a real
container, a real HTTP server on loopback, the real command line. Nothing is simulated: each step
checks what it shows, and the demo fails when a step does not come out as told.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import typer
from rich.markup import escape
from rich.rule import Rule
from rich.text import Text

from yett.cli.output import console, visible
from yett.cli.setup import CLIENTS, snippet
from yett.errors import BrokenRoom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp import Client

CARD = "4111 1111 1111 1111"
KEY = "AKIA" + "QX3VTM7RJZ2WNB5D"  # made up here; the form of a cloud key, and the key of nothing

CONFIGURATION = """\
version: 1
trust_domain: demo
state: state
listen: {{ http: "127.0.0.1:{http}" }}
agents:
  research-1: {{ roles: [analyst] }}
roles:
  analyst: {{}}
rules:
  - id: run-in-sandbox
    allow: shell_*
    to: analyst
  - id: use-workspace
    allow: [file_read, file_write, file_edit, file_list, file_search]
    to: analyst
    when: {{ args.path: {{ under: /workspace }} }}
  - id: keep-credentials
    deny: file_*
    to: "*"
    when: {{ args.path: {{ match: ["**/.ssh/**", "**/.env"] }} }}
    why: Files like this hold credentials.
  - id: fetch
    allow: http_request
    to: analyst
    when: {{ http.host: 127.0.0.1, http.method: GET }}
  - id: pay
    ask: http_request
    to: analyst
    when: {{ http.host: 127.0.0.1, http.method: POST }}
    approval: {{ need: 1, expires: 10m }}
tools:
  shell: {{ image: yett/tiny, timeout: 20s }}
  http: {{}}
egress:
  allow: [ {{ host: "127.0.0.1:{service}", methods: [GET, POST] }} ]
approvals: {{ hold: 1s }}                 # nobody answers while the agent waits: say "pending" soon
privacy:
  default: {{ outbound: {{ CREDIT_CARD: mask }}, inbound: {{ SECRET: mask }} }}
"""


def demo() -> None:
    """Show the main job on real input, in under a minute."""
    with tempfile.TemporaryDirectory(prefix="yett-demo-") as folder, _service() as (service, received):
        story = Story(Path(folder), service, received)
        try:
            anyio.run(story.tell)
        except subprocess.CalledProcessError as error:
            console.print(Text(f"{' '.join(map(str, error.cmd))}\n{error.stdout}{error.stderr}"))
            raise BrokenRoom("a command of the demo failed; its words are above") from error
        finally:
            story.stop()


class Story:
    """The steps, in order."""

    def __init__(self, folder: Path, service: int, received: list[str]) -> None:
        self._config = folder / "yett.yaml"
        self._service = f"http://127.0.0.1:{service}"
        self._received = received
        self._http = _free_port()
        self._config.write_text(CONFIGURATION.format(http=self._http, service=service), encoding="utf-8")
        self._config.chmod(0o600)

    async def tell(self) -> None:
        """Everything."""
        from mcp import Client, StdioServerParameters  # noqa: PLC0415 - a second of imports only the demo needs

        console.print(Rule("Yett: the gate between an agent and its tools", style="bold"))
        _say("An administrator wrote yett.yaml; the agent gets a credential, and its client a stdio command.")
        self._yett("agents", "add", "research-1")
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "yett", "serve", "--agent", "research-1", "--config", str(self._config)],
        )
        async with Client(server) as agent:
            await self._tools(agent)
            await self._allowed(agent)
            await self._denied(agent)
            await self._approved(agent)
        await self._masked_back()
        self._recorded()
        self._tampered()
        self._paste()

    async def _tools(self, agent: Client) -> None:
        _step("1", "The agent sees only the tools that some rule could open")
        listed = await agent.list_tools()
        _say(", ".join(tool.name for tool in listed.tools))

    async def _allowed(self, agent: Client) -> None:
        _step("2", "Allowed: a shell command, in a container that an attacker may own")
        command = "id; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; ls /sys/class/net; touch /x"
        text = await self._call(agent, "shell_run", {"command": command})
        _expect("uid=60871" in text and "CapEff:\t0000000000000000" in text, text)

    async def _denied(self, agent: Client) -> None:
        _step("3", "Denied: with the rule, the reason and the next step, as a result that the model can read")
        text = await self._call(agent, "file_read", {"path": "/workspace/../home/kim/.ssh/id_ed25519"})
        _expect("keep-credentials" in text, text)

    async def _approved(self, agent: Client) -> None:
        _step(
            "4", "Approved: the call waits for a person, runs once, and its card number is masked on the way"
        )
        arguments = {
            "url": f"{self._service}/orders",
            "method": "POST",
            "body": f'{{"to": "Highland Iron Ltd", "card": "{CARD}", "amount": 120}}',
        }
        text = await self._call(agent, "http_request", arguments)
        _expect("Pending approval" in text and not self._received, text)
        approval = text.split()[2].rstrip(":")
        self._yett("approvals", "list")
        self._yett("approvals", "show", approval)
        self._yett("approvals", "approve", approval)
        text = await self._call(agent, "http_request", arguments)
        _expect("200" in text and len(self._received) == 1, text)
        console.print(Text(f"What the HTTP server received: {self._received[0]}", style="green"))
        _expect(CARD not in self._received[0] and "[CREDIT_CARD]" in self._received[0], self._received[0])
        text = await self._call(agent, "http_request", arguments)
        _expect("Pending approval" in text and len(self._received) == 1, text)
        _say("The approval was for one run: the same call asks again.")

    async def _masked_back(self) -> None:
        _step("5", "Masked: a secret in a result never reaches the model (this time over HTTP)")
        import httpx2  # noqa: PLC0415 - only here
        from mcp import Client  # noqa: PLC0415 - see tell
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415 - see tell

        token = self._yett("agents", "add", "research-1", "--show", shown=False).split()[-1]
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://127.0.0.1:{self._http}/mcp"
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60) as http,
            Client(streamable_http_client(url, http_client=http)) as agent,
        ):
            text = await self._call(agent, "http_request", {"url": f"{self._service}/settings"})
        _expect(KEY not in text and "[SECRET]" in text, text)

    def _recorded(self) -> None:
        _step("6", "Recorded: every decision before anything ran, every outcome after")
        log = self._yett("audit", "tail", "-n", "60")
        _expect(CARD not in log and KEY not in log and "keep-credentials" in log, "the log is wrong")
        self._yett("audit", "verify")

    def _tampered(self) -> None:
        _step("7", "Tampering: one byte of a copy is edited, and verify says where")
        copy = self._config.parent / "copy"
        copy.mkdir()
        for file in (self._config.parent / "state" / "audit").iterdir():
            (copy / file.name).write_bytes(file.read_bytes())
        segment = min(copy.glob("*.jsonl"))
        data = bytearray(segment.read_bytes())
        at = data.index(b"deny")
        data[at : at + 4] = b"demy"
        segment.chmod(0o600)
        segment.write_bytes(data)
        done = self._run("audit", "verify", "--folder", str(copy), check=False)
        _show(f"yett audit verify --folder {copy.name}", done.stdout)
        _expect(done.returncode == 1 and "WRONG" in done.stdout, done.stdout)

    def _paste(self) -> None:
        console.print(Rule("Your own agent: yett init, yett agents add my-agent, then paste", style="bold"))
        path = Path("~/.config/yett/yett.yaml").expanduser()
        for client in CLIENTS:
            console.print(Text(snippet(client, "my-agent", path)))
            console.print()

    async def _call(self, agent: Client, tool: str, arguments: dict[str, str]) -> str:
        console.print(f"[cyan]agent calls[/] {escape(tool)} {escape(visible(json.dumps(arguments)))}")
        result = await agent.call_tool(tool, arguments)
        text = "\n".join(block.text for block in result.content if block.type == "text")
        for line in text.splitlines():
            console.print(
                Text(f"  | {visible(line.expandtabs())}", style="red" if result.is_error else "green")
            )
        return text

    def _yett(self, *words: str, shown: bool = True) -> str:
        done = self._run(*words, check=True)
        if shown:
            _show("yett " + " ".join(words), done.stdout)
        return done.stdout

    def _run(self, *words: str, check: bool) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "yett", *words]
        if "--folder" not in words:
            command += ["--config", str(self._config)]
        return subprocess.run(  # noqa: S603 - our own command line
            command, capture_output=True, text=True, timeout=60, check=check
        )

    def stop(self) -> None:
        """End the demo's gateway."""
        self._run("gateway", "--stop", check=False)


def _step(number: str, title: str) -> None:
    console.print()
    console.print(f"[bold]{number}. {escape(title)}[/]")


def _say(text: str) -> None:
    console.print(Text(text))


def _show(command: str, output: str) -> None:
    console.print(f"[yellow]$ {escape(command)}[/]")
    for line in output.splitlines():
        console.print(Text(f"  {line}"))


def _expect(held: bool, seen: str) -> None:
    if not held:
        console.print(Text(f"This step did not come out as told:\n{seen}", style="bold red"))
        raise typer.Exit(1)


class _Handler(BaseHTTPRequestHandler):
    received: list[str]

    def do_GET(self) -> None:
        self._answer(f'{{"region": "north", "aws_access_key_id": "{KEY}"}}')

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        self.received.append(self.rfile.read(length).decode())
        self._answer('{"order": 1}')

    def _answer(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@contextmanager
def _service() -> Iterator[tuple[int, list[str]]]:
    """A loopback HTTP server that keeps what it receives."""
    received: list[str] = []
    handler = type("Handler", (_Handler,), {"received": received})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], received
    finally:
        server.shutdown()
        server.server_close()


def _free_port() -> int:
    probe = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    port: int = probe.server_address[1]
    probe.server_close()
    return port
