# SPDX-License-Identifier: Apache-2.0
"""`yett gateway`, `yett status`, and the help text of `yett serve`."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import Annotated

import anyio
import typer

from yett.cli import control
from yett.cli.output import ConfigOption, JsonFlag, print_json, say
from yett.cli.pool import in_words, pool_of
from yett.errors import BrokenRoom, EnvironmentFault

STOP_DEADLINE = 30.0


def gateway(
    *,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the running gateway.")] = False,
    config: ConfigOption = None,
) -> None:
    """Run the gateway in the foreground. Shims start one by themselves when none runs."""
    known = control.configuration(config)
    if stop:
        if not control.running(known):
            say("No gateway runs on this state folder.")
            return
        control.ask(known, "stop")
        _until_released(known.state / "gateway.lock")
        say("The gateway has stopped.")
        return
    from yett.cli.logs import log_to_stderr  # noqa: PLC0415 - see commands.py
    from yett.gateway import serve as serve_gateway  # noqa: PLC0415 - see commands.py

    log_to_stderr()
    anyio.run(serve_gateway, known, backend_options={"use_uvloop": True})


def _until_released(lock: Path) -> None:
    """Wait until the gateway has let go of its state folder, so that the next one can start."""
    deadline = time.monotonic() + STOP_DEADLINE
    with lock.open("rb") as held:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.02)
            else:
                return
    raise EnvironmentFault(f"the gateway was told to stop and still runs after {STOP_DEADLINE:.0f} s")


def serve(
    agent: Annotated[str, typer.Option("--agent", help="Which agent of yett.yaml this client is.")],
    config: ConfigOption = None,
) -> None:
    """MCP over stdio for one client: what a desktop client starts (`yett setup CLIENT` prints how)."""
    del agent, config  # cli.main hands `serve` to yett.shim before this module is imported
    raise BrokenRoom("serve is handled before the command line is built")


def status(*, as_json: JsonFlag = False, config: ConfigOption = None) -> None:
    """What the running gateway serves, and whether its file waits for `yett policy apply`."""
    known = control.configuration(config)
    if not control.running(known):
        if as_json:
            print_json({"running": False})
        else:
            say("No gateway runs on this state folder. The next client starts one; or: yett gateway")
        raise typer.Exit(1)
    found = control.ask(known, "status")
    if as_json or not isinstance(found, dict):
        print_json(found)
        return
    tools = found.get("tools")
    say(f"yett {found['version']} on {found['state']}")
    say(f"configuration {found['configuration']}, applied {str(found['applied'])[:12]}")
    if found.get("waits_for_apply"):
        say("The file differs from what is applied: both bind, the stricter wins. Then: yett policy apply")
    say(f"tools: {', '.join(map(str, tools)) if isinstance(tools, list) else '-'}")
    pool = pool_of(known)
    for sentence in () if pool is None else in_words(pool):
        say(sentence)
