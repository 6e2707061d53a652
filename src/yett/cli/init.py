# SPDX-License-Identifier: Apache-2.0
"""`yett init`: look at the machine, then write a small safe `yett.yaml`.

Where neither a container engine nor runc can be used the file has no sandbox tools: they are absent, never
run on the host.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from yett.cli.init_sandbox import TINY, FoundSandbox, find_sandbox
from yett.cli.output import ConfigOption, say
from yett.config.load import Configuration, configuration_path, parse
from yett.errors import ConfigurationError, EnvironmentFault

HEAD = """\
# Yett: the gate between an agent and its tools. Every key: docs/configuration.md
# An edited file only makes things stricter until you say: yett policy apply
version: 1
{state}
agents:
  {agent}: {{ roles: [developer] }}        # its credential: yett agents add {agent}

roles:
  developer: {{}}

# No rule, no call. deny > ask > allow. Why a call is decided so: yett policy explain --as {agent} TOOL ARGS
rules:
"""

SANDBOX_RULES = """\
  - id: run-in-sandbox
    allow: shell_*                        # in a container without network, thrown away with its session
    to: developer
  - id: use-workspace
    allow: [file_read, file_write, file_edit, file_list, file_search]
    to: developer
    when: { args.path: { under: /workspace } }
  - id: keep-credentials
    deny: file_*
    to: "*"
    when: { args.path: { match: ["**/.env", "**/.ssh/**", "**/.aws/**", "**/*.pem"] } }
    why: Files like this hold credentials.
"""

HTTP_RULES = """\
  - id: fetch
    allow: http_request                   # only inside the wall of `egress.allow`, which is empty yet
    to: developer
    when: { http.method: [GET, HEAD] }
  - id: send
    ask: http_request
    to: developer
    when: { http.method: [POST, PUT, PATCH, DELETE] }
    approval: { need: 1, expires: 10m }
"""

TESTS = """\
tests:                                    # run at every load; a file whose tests fail is not taken
"""

SANDBOX_TESTS = """\
  - {{ as: {agent}, call: file_read, args: {{ path: /workspace/notes.txt }}, expect: allow }}
  - {{ as: {agent}, call: file_read, args: {{ path: /workspace/../etc/passwd }}, expect: deny }}
  - {{ as: {agent}, call: file_read, args: {{ path: /workspace/.env }}, expect: deny }}
"""

HTTP_TESTS = """\
  - {{ as: {agent}, call: http_request, args: {{ url: "https://example.com/", method: POST }}, expect: ask }}
"""

TOOLS = """\
tools:
{shell}
  http: {{}}

egress:
  allow: []                               # as: [api.github.com, {{ host: "*.acme.com", methods: [GET] }}]
"""


def init(
    agent: Annotated[str, typer.Option("--agent", help="The first agent's name.")] = "my-agent",
    *,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
    config: ConfigOption = None,
) -> None:
    """Look at the machine and write a small safe yett.yaml."""
    path = configuration_path(config)
    if path.exists() and not force:
        raise ConfigurationError(f"{path} exists", advice="keep it, or write over it with --force")
    found: FoundSandbox | None = None
    try:
        found = find_sandbox()
    except EnvironmentFault as obstacle:
        say(f"No sandbox: {str(obstacle).rstrip('.')}. Shell and file tools are left out. To have them:")
        say(f"  {obstacle.advice()}")
        say("  yett init --force")
    else:
        say(f"{found.seen}; the image {found.image} is there.")
        if found.image == TINY:
            say("  It has a shell and busybox. With python3, git and curl: yett sandbox build base")
    text = render(agent, found, own_state=config is not None)
    _check(parse(text, path))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    say(f"Wrote {path}.")
    option = f" --config {path}" if config else ""
    say("Next:")
    say(f"  yett agents add {agent}{option}")
    say(
        f"  yett setup claude-code --agent {agent}{option}     (or: openclaw, claude-desktop, cursor, vscode)"
    )
    say(f"  yett doctor{option}")


def _check(written: Configuration) -> None:
    """What this writes must load: an agent's name may be no name, or that of a role."""
    from yett.builtin import listed_tools  # noqa: PLC0415 - see commands.py
    from yett.joining import compile_rules  # noqa: PLC0415 - see commands.py

    compile_rules(written, listed_tools(written))


def render(agent: str, sandbox: FoundSandbox | None, *, own_state: bool = False) -> str:
    """The file for a machine with this sandbox, or with none."""
    shell = (
        f"  shell: {sandbox.settings}"
        if sandbox
        else "  # shell: { image: yett/tiny }         # no sandbox could be had when this was written"
    )
    state = "\nstate: state                              # beside this file\n" if own_state else ""
    parts = [
        HEAD.format(agent=agent, state=state),
        SANDBOX_RULES if sandbox else "",
        HTTP_RULES,
        "\n",
        TESTS,
        SANDBOX_TESTS.format(agent=agent) if sandbox else "",
        HTTP_TESTS.format(agent=agent),
        "\n",
        TOOLS.format(shell=shell),
    ]
    return "".join(parts)
