# SPDX-License-Identifier: Apache-2.0
"""The gateway process: listens, serves, watches its file, stops cleanly.

One a state folder (the lock says so). It listens on `gateway.sock` for shims, `control.sock` for the
operator and, if configured, HTTP. It builds nothing itself (`app.py`) and decides nothing.
"""

from __future__ import annotations

import gc
import json
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import anyio.abc
import structlog
import uvicorn
from anyio.abc import SocketListener, SocketStream

from yett.administration import Administration
from yett.app import App, open_app
from yett.applied import read_in_force
from yett.config.load import Configuration, load
from yett.errors import ConfigurationError, EnvironmentFault
from yett.joining import host_and_port, http_settings, stdio_settings
from yett.server.control import ControlEdge
from yett.server.http import HttpEdge, ImpatientProtocol, listen
from yett.server.stdio import StdioEdge

log = structlog.get_logger("yett.gateway")

MAX_CONNECTIONS = 256
WATCH_INTERVAL = 1.0
HOUSEKEEPING_INTERVAL = 60.0
STOP_GRACE = 0.1
"""Seconds for answers that are on their way, above all the one to `yett gateway --stop`."""
_FULL = (
    json.dumps({"ok": False, "error": "The gateway has too many connections; try later."}).encode() + b"\n"
)
SOCKET_PATH_LIMIT = 100
"""The kernel takes 107 bytes; a few are left for a name beside it."""


async def serve(configuration: Configuration, ready: Callable[[], None] = lambda: None) -> None:
    """Run until SIGTERM, SIGINT or the operator's stop.

    Raises:
        AlreadyRunning, ConfigurationError, EnvironmentFault: it can't start, and says why.
    """
    async with open_app(configuration) as app, anyio.create_task_group() as tasks:
        stop = anyio.Event()
        await app.system("gateway started", configuration=app.in_force.applied.digest)
        stdio = StdioEdge(app.mcp, app.pipeline, app.identity, stdio_settings(app.settings))
        control = ControlEdge(Administration(app, stop.set).verbs())
        tasks.start_soon(_serve_socket, configuration.state / "control.sock", control.serve)
        tasks.start_soon(_serve_socket, configuration.state / "gateway.sock", stdio.serve)
        if app.settings.listen.http is not None:
            edge = HttpEdge(app.mcp.server, app.pipeline, app.identity, http_settings(app.settings))
            await tasks.start(_serve_http, edge, app.settings.listen.http)
        tasks.start_soon(_watch, configuration.path, app)
        tasks.start_soon(_keep_house, app)
        if app.sandboxes is not None:
            tasks.start_soon(app.sandboxes.serving.prove)
        tasks.start_soon(_follow_upstreams, app)
        tasks.start_soon(_tell_clients, app)
        tasks.start_soon(_until_signal, stop)
        log.info("gateway ready", http=app.settings.listen.http, state=str(configuration.state))
        # What was built stays: later collections need not look at it again.
        gc.collect()
        gc.freeze()
        ready()
        await stop.wait()
        log.info("gateway stops")
        await anyio.sleep(STOP_GRACE)
        tasks.cancel_scope.cancel()
    # open_app closes the rooms after the last call has ended, the log last.


async def _keep_house(app: App) -> None:
    """End sessions that are over the idle limit, and with them their containers."""
    while True:
        await anyio.sleep(HOUSEKEEPING_INTERVAL)
        await app.sessions.end_idle()


async def _follow_upstreams(app: App) -> None:
    """Serve what upstreams serve; rules that no longer fit their tools leave everything as it was."""
    while True:
        await app.tools_moved.wait()
        try:
            app.refresh_tools()
        except ConfigurationError as error:
            log.exception("the upstreams' new tools were not taken", reason=str(error))


async def _tell_clients(app: App) -> None:
    """Tell clients that their lists may differ now."""
    while True:
        await app.lists_moved.wait()
        await app.mcp.tools_changed()


async def _until_signal(stop: anyio.Event) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            stop.set()


async def _serve_socket(path: Path, handler: Callable[[SocketStream], Awaitable[None]]) -> None:
    """Accept on a unix socket that only this user can reach."""
    if len(str(path).encode()) > SOCKET_PATH_LIMIT:
        raise EnvironmentFault(
            f"the state folder's path is too long for a socket: {path}", advice="set a shorter `state:`"
        )
    seats = anyio.CapacityLimiter(MAX_CONNECTIONS)
    listener: SocketListener = await anyio.create_unix_listener(path, mode=0o600)

    async def handle(stream: SocketStream) -> None:
        try:
            if not seats.available_tokens:
                log.warning("a connection was turned away", socket=path.name, limit=MAX_CONNECTIONS)
                async with stream:
                    await stream.send(_FULL)
                return
            async with seats:
                await handler(stream)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            log.info("a connection broke", socket=path.name)
        except Exception:  # one connection must never end the gateway
            log.exception("a connection failed", socket=path.name)

    async with listener:
        await listener.serve(handle)


class _Uvicorn(uvicorn.Server):
    """uvicorn without signal handlers: the gateway owns its signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve_http(
    edge: HttpEdge, address: str, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED
) -> None:
    config = uvicorn.Config(
        edge,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        ws="none",
        http=ImpatientProtocol,
        proxy_headers=False,  # X-Forwarded-For is the caller's word, and every caller is on loopback
        limit_concurrency=1024,
        timeout_graceful_shutdown=2,
    )
    with listen(*host_and_port(address)) as listener:
        async with edge.run():
            task_status.started()
            await _Uvicorn(config).serve(sockets=[listener])


async def _watch(path: Path, app: App) -> None:
    """Read the file again when it changed; a file that can't be enforced changes nothing."""
    seen = _stamp(path)
    while True:
        await anyio.sleep(WATCH_INTERVAL)
        stamp = _stamp(path)
        if stamp == seen:
            continue
        seen = stamp
        await reload(path, app)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


async def reload(path: Path, app: App) -> None:
    """Put the file in force as far as law 7 lets it, and record what became of it."""
    try:
        in_force = read_in_force(load(path))
        app.enforce(in_force)
    except ConfigurationError as error:
        log.exception("the file was not taken; what was in force stays")
        await app.system("configuration refused", reason=str(error))
        return
    waits = in_force.candidate is not None
    log.info("configuration read", waits_for_apply=waits)
    await app.system(
        "configuration held until `yett policy apply`" if waits else "configuration unchanged",
        applied=in_force.applied.digest,
        file=in_force.candidate.digest if in_force.candidate else in_force.applied.digest,
    )
