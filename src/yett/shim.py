# SPDX-License-Identifier: Apache-2.0
"""`yett serve --agent NAME`: the stdio end that a desktop client starts. Standard library only.

It authenticates to the gateway with its agent's credential, starts the gateway when none runs, and
carries bytes both ways. It knows nothing of MCP, decides nothing, and must stay under 150 ms and 20 MB:
that is why it imports nothing else of yett. stdout belongs to MCP; what a person should read goes to
stderr.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

START_DEADLINE = 30.0
HELLO_DEADLINE = 15.0
_CHUNK = 65536
_LAST_WORDS = 2000
"""So many bytes of a log's end are looked at."""
_NOT_PASSED_ON = (
    "LD_",
    "DYLD_",
    "PYTHON",
    "SSL_CERT_",
    "SSLKEYLOGFILE",
    "OPENSSL_",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
)

EXIT_OK, EXIT_CONFIGURATION, EXIT_ENVIRONMENT = 0, 2, 3
EXIT_LOCKED = 75
"""How a gateway ends that finds another one on its state folder (EX_TEMPFAIL of sysexits.h)."""


class ShimError(Exception):
    """What went wrong, in words, and the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def credential_path(configuration: Path, agent: str) -> Path:
    """Where `yett agents add` leaves the shim's credential, mode 0600."""
    return configuration.parent / "agents" / f"{agent}.json"


def main(arguments: list[str]) -> int:
    """Run the shim; `arguments` are those after `serve`."""
    try:
        agent, configuration = _arguments(arguments)
        known = _credential(configuration, agent)
        link = open_line(known["socket"], known["configuration"])
        with link:
            early = _greet(link, agent, known["credential"])
            _carry(link, early)
    except ShimError as error:
        print(f"yett serve: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return EXIT_OK
    return EXIT_OK


def _arguments(arguments: list[str]) -> tuple[str, Path]:
    agent = ""
    chosen = os.environ.get("YETT_CONFIG", "")
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, _, value = word.partition("=")
        if name not in {"--agent", "--config"}:
            raise ShimError(
                f"I don't know {word!r}. Usage: yett serve --agent NAME [--config FILE]", EXIT_CONFIGURATION
            )
        if not value:
            value = rest.pop(0) if rest else ""
        if name == "--agent":
            agent = value
        else:
            chosen = value
    if not agent:
        raise ShimError("say which agent this is: yett serve --agent NAME", EXIT_CONFIGURATION)
    if chosen:
        return agent, Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CONFIG_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".config"
    return agent, folder / "yett" / "yett.yaml"


def _credential(configuration: Path, agent: str) -> dict[str, str]:
    path = credential_path(configuration, agent)
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ShimError(f"others can read {path}; run: chmod 600 {path}", EXIT_CONFIGURATION)
        known = json.loads(path.read_text(encoding="utf-8"))
        return {key: str(known[key]) for key in ("credential", "socket", "configuration")}
    except FileNotFoundError:
        raise ShimError(
            f"agent {agent!r} has no credential here ({path}); run: yett agents add {agent}",
            EXIT_CONFIGURATION,
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ShimError(f"can't use {path}: {error}", EXIT_CONFIGURATION) from None


def open_line(path: str, configuration: str) -> socket.socket:
    """A connection to the gateway's socket at `path`; starts the gateway of `configuration` if none runs.

    Raises:
        ShimError: it can't be started, or does not listen within `START_DEADLINE`.
    """
    link = connect(path)
    if link is not None:
        return link
    log = Path(path).parent / "gateway.log"
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ShimError(f"no gateway runs and none can be started: {error}", EXIT_ENVIRONMENT) from None
    with os.fdopen(descriptor, "ab") as output:
        begun = os.fstat(descriptor).st_size
        gateway = subprocess.Popen(
            # -E, -P, _environment: what a client puts into ours chooses no code and no trust there.
            [sys.executable, "-E", "-P", "-m", "yett", "gateway", "--config", configuration],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(),
            start_new_session=True,  # it outlives this client: other clients share it
            cwd="/",
        )
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        link = connect(path)
        if link is not None:
            return link
        # Another gateway holds the lock: that one is about to listen.
        if gateway.poll() not in {None, EXIT_LOCKED}:
            raise ShimError(f"the gateway did not start: {_last_words(log, begun)}", EXIT_ENVIRONMENT)
        time.sleep(0.02)
    raise ShimError(f"the gateway did not start within {START_DEADLINE:.0f} s; see {log}", EXIT_ENVIRONMENT)


def _last_words(log: Path, begun: int) -> str:
    """What a gateway that ended said last, of what it wrote from `begun` on."""
    try:
        with log.open("rb") as file:
            file.seek(max(begun, file.seek(0, os.SEEK_END) - _LAST_WORDS))
            said = file.read().decode(errors="replace")
    except OSError:
        said = ""
    _, found, words = ("\n" + said).rpartition("\nyett: ")
    return f"{words.rstrip()}\n  (from the end of {log})" if found else f"the reason is at the end of {log}"


def _environment() -> dict[str, str]:
    """Ours without what loads libraries or says whose certificates count: all clients share the gateway."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_NOT_PASSED_ON)}


def connect(path: str) -> socket.socket | None:
    """A connection to a unix socket, or None when nobody listens."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.connect(path)
    except OSError:
        link.close()
        return None
    return link


def _greet(link: socket.socket, agent: str, credential: str) -> bytes:
    """Say who this is; return what came after the gateway's answer."""
    link.settimeout(HELLO_DEADLINE)
    hello = {"yett": 1, "agent": agent, "credential": credential}
    answer = b""
    try:
        link.sendall(json.dumps(hello).encode() + b"\n")
        while b"\n" not in answer:
            part = link.recv(_CHUNK)
            if not part:
                raise ShimError("the gateway closed the line; see its log", EXIT_ENVIRONMENT)
            answer += part
    except OSError as error:
        raise ShimError(f"the gateway does not answer: {error}", EXIT_ENVIRONMENT) from None
    line, _, early = answer.partition(b"\n")
    said = json.loads(line)
    if not said.get("ok"):
        raise ShimError(
            f"the gateway refused agent {agent!r}: {said.get('error')} Renew with: yett agents add {agent}",
            EXIT_CONFIGURATION,
        )
    link.settimeout(None)
    return early


def _carry(link: socket.socket, early: bytes) -> None:
    """Bytes both ways until either side ends."""
    _write(1, early)
    while True:
        ready, _, _ = select.select([0, link.fileno()], [], [])
        if link.fileno() in ready:
            data = link.recv(_CHUNK)
            if not data:
                raise ShimError("the gateway is gone", EXIT_ENVIRONMENT)
            _write(1, data)
        if 0 in ready:
            data = os.read(0, _CHUNK)
            if not data:
                return
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                link.sendall(data)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
