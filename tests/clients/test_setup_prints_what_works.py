# SPDX-License-Identifier: Apache-2.0
"""What `yett setup CLIENT` prints is read as the client would read it, and the server in it is started."""

import json
import shlex

import pytest
from mcp import Client, StdioServerParameters

from e2e.gateway import gateway
from yett.cli.setup import CLIENTS

pytestmark = pytest.mark.anyio

CONFIGURATION = """\
version: 1
state: state
listen: { http: null }
agents:
  pasted: { roles: [reader] }
roles:
  reader: {}
rules:
  - id: fetch
    allow: http_request
    to: reader
    when: { http.method: GET }
tools:
  http: {}
"""


def printed(client, text):
    """The settings that a person would paste, without the lines that say where they go."""
    return json.loads(text.partition("\n")[2]) if client != "claude-code" else text.splitlines()


def server_in(client, found):
    """The command and the arguments in what was pasted."""
    if client == "claude-code":
        words = shlex.split(found[1])
        assert words[:5] == ["claude", "mcp", "add", "yett", "--"]
        return words[5], words[6:]
    where = {"openclaw": ("mcp", "servers"), "vscode": ("servers",)}.get(client, ("mcpServers",))
    for key in where:
        found = found[key]
    return found["yett"]["command"], found["yett"]["args"]


@pytest.fixture(scope="module")
def gate():
    with gateway(CONFIGURATION, folder="a folder with spaces & 'quotes'") as made:
        made.yett("agents", "add", "pasted")
        yield made


@pytest.mark.parametrize("client", CLIENTS)
async def test_what_setup_prints_starts_a_server_with_the_gates_tools(gate, client):
    text = gate.yett("setup", client, "--agent", "pasted")
    command, arguments = server_in(client, printed(client, text))
    async with Client(StdioServerParameters(command=command, args=arguments)) as session:
        listed = await session.list_tools()
    assert {tool.name for tool in listed.tools} == {"approval_status", "http_request"}


def test_setup_for_openclaw_opens_nothing_but_the_gate(gate):
    found = printed("openclaw", gate.yett("setup", "openclaw", "--agent", "pasted"))
    assert found["tools"] == {"allow": ["yett__*"], "toolSearch": False, "elevated": {"enabled": False}}


def test_setup_for_claude_code_denies_its_own_ways_out(gate):
    lines = printed("claude-code", gate.yett("setup", "claude-code", "--agent", "pasted"))
    denied = set(json.loads("\n".join(lines[3:]))["permissions"]["deny"])
    assert denied >= {"Bash", "Edit", "Read", "WebFetch", "Write"}


def test_setup_refuses_an_agent_that_the_file_does_not_name(gate):
    done = gate.run("setup", "cursor", "--agent", "nobody")
    assert done.returncode != 0
    assert "names no agent 'nobody'" in done.stderr
