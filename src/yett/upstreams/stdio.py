# SPDX-License-Identifier: Apache-2.0
"""A stdio transport for a program that may send anything.

Differs from the SDK's: a line has a limit, the environment is only what was configured, and the program
is killed with the gateway and with its whole process group. Its standard error is kept in part, for the
operator. Called by `connection`; the SDK's client speaks over the streams it yields.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from yett.action import Secret
from yett.upstreams.settings import UpstreamLimits, UpstreamSpec

Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
Outgoing = MemoryObjectSendStream[SessionMessage]

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
_CHUNK = 64 << 10
_POLL = 0.01
_BROKEN = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)

# The kernel kills the program when the gateway dies, however it dies (prctl PR_SET_PDEATHSIG).
_DIE_WITH_PARENT = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"{sys.argv[2]}: {error.strerror}")
"""


@asynccontextmanager
async def stdio_transport(
    spec: UpstreamSpec, limits: UpstreamLimits, closed: anyio.Event, errors: deque[bytes]
) -> AsyncGenerator[tuple[Incoming, Outgoing]]:
    """Run the program; yields the streams of its messages.

    `closed` is set when it stops talking; `errors` takes its last output on standard error.

    Raises:
        OSError: it can't be started.
    """
    process = await _start(spec)
    to_session, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_read_messages, process.stdout, to_session, limits, closed)
            tasks.start_soon(_write_messages, process.stdin, from_session, closed)
            tasks.start_soon(_keep_errors, process.stderr, errors)
            try:
                yield incoming, outgoing
            finally:
                for stream in (incoming, outgoing, to_session, from_session):
                    stream.close()
                with anyio.CancelScope(shield=True):
                    await _stop(process, limits.stop_timeout)
                tasks.cancel_scope.cancel()
    finally:
        _kill_group(process)


async def _start(spec: UpstreamSpec) -> Process:
    command: tuple[str, ...] = spec.command
    if sys.platform == "linux":
        command = (sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command)
    given = {key: v.reveal() if isinstance(v, Secret) else v for key, v in spec.env.items()}
    return await anyio.open_process(
        command,
        env=_ENVIRONMENT | given,
        cwd=spec.cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


async def _read_messages(
    stdout: ByteReceiveStream | None,
    to_session: MemoryObjectSendStream[SessionMessage | Exception],
    limits: UpstreamLimits,
    closed: anyio.Event,
) -> None:
    """Lines to messages. Too long a line or too many that are no message end the connection."""
    garbage = 0
    buffer = bytearray()
    try:
        async with to_session:
            while stdout is not None:
                searched = len(buffer)
                buffer += await stdout.receive(_CHUNK)
                while (end := buffer.find(b"\n", searched)) >= 0:
                    if end > limits.message_bytes:
                        return
                    line = bytes(buffer[:end])
                    del buffer[: end + 1]
                    searched = 0
                    try:
                        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                    except ValueError:
                        garbage += bool(line.strip())
                        if garbage > limits.garbage_lines:
                            return
                        continue
                    await to_session.send(SessionMessage(message))
                if len(buffer) > limits.message_bytes:
                    return
    except _BROKEN:
        return
    finally:
        closed.set()


async def _write_messages(
    stdin: ByteSendStream | None, from_session: MemoryObjectReceiveStream[SessionMessage], closed: anyio.Event
) -> None:
    try:
        async with from_session:
            async for message in from_session:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                if stdin is not None:
                    await stdin.send(text.encode() + b"\n")
    except _BROKEN:
        closed.set()


async def _keep_errors(stderr: ByteReceiveStream | None, errors: deque[bytes]) -> None:
    with suppress(*_BROKEN):
        while stderr is not None:
            errors.append(await stderr.receive(512))


async def _stop(process: Process, seconds: float) -> None:
    """Close its input, wait for its end, then kill its group. Every wait is bounded."""
    if process.stdin is not None:
        with suppress(*_BROKEN), anyio.move_on_after(seconds):
            await process.stdin.aclose()
    for group_signal in (None, signal.SIGTERM, signal.SIGKILL):
        if group_signal is not None:
            _kill_group(process, group_signal)
        with anyio.move_on_after(seconds):
            while process.returncode is None:  # noqa: ASYNC110 - wait() also waits for inherited pipes
                await anyio.sleep(_POLL)
        if process.returncode is not None:
            break
    _kill_group(process)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            with suppress(*_BROKEN):
                await stream.aclose()
    # asyncio keeps its transport open while output is unread; nothing public reaches it.
    transport = getattr(getattr(process, "_process", None), "_transport", None)
    if transport is not None:
        with suppress(PermissionError):
            transport.close()


def _kill_group(process: Process, group_signal: signal.Signals = signal.SIGKILL) -> None:
    """The program is the leader of its own session, so its pid is its group's."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, group_signal)
