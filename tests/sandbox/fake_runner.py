# SPDX-License-Identifier: Apache-2.0
"""A PID 1 of the tests' own at the other end of a container's line: honest, or as hostile as it likes.

`faced` joins it to a real `Container` over a real unix socket; no engine is needed.
"""

import struct
from contextlib import asynccontextmanager

import anyio

from yett.sandbox.container import Container
from yett.sandbox.engine import Engine
from yett.sandbox.line import Line
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.socket_transport import SocketTransport

DEADLINE = 10.0


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<I", len(payload)) + kind + payload


def out(data: bytes, slot: int = 0) -> bytes:
    return frame(b"1", bytes([slot]) + data)


def err(data: bytes, slot: int = 0) -> bytes:
    return frame(b"2", bytes([slot]) + data)


def exit_(code: int = 0, slot: int = 0) -> bytes:
    return frame(b"E", bytes([slot, 0, code]))


def killed(slot: int = 0) -> bytes:
    return frame(b"E", bytes([slot, 1, 9]))


def entry(kind: bytes = b"f", *, size: int = 3, name: bytes = b"") -> bytes:
    return struct.pack("<cQIqH", kind, size, 0o644, 0, len(name)) + name


def connection(kind: bytes, number: int, rest: bytes = b"") -> bytes:
    return frame(kind, struct.pack("<H", number) + rest)


DONE = frame(b"O")
FILE = frame(b"I", entry())


class RemovedQuietly(Engine):
    """An engine that has nothing to remove."""

    async def remove(self, name):
        del name


class FakeRunner:
    """The other end."""

    def __init__(self, stream):
        self._stream = stream
        self._buffer = b""

    async def asked(self) -> tuple[str, bytes]:
        """The next frame of the gateway."""
        with anyio.fail_after(DEADLINE):
            while len(self._buffer) < 5 or len(self._buffer) < 5 + int.from_bytes(self._buffer[:4], "little"):
                self._buffer += await self._stream.receive()
        end = 5 + int.from_bytes(self._buffer[:4], "little")
        taken, self._buffer = self._buffer[:end], self._buffer[end:]
        return chr(taken[4]), taken[5:]

    async def say(self, *frames: bytes) -> None:
        await self._stream.send(b"".join(frames))

    async def answer(self, kind: str, *frames: bytes) -> bytes:
        """Wait for a request of this kind and answer it; its payload."""
        asked, payload = await self.asked()
        assert asked == kind
        await self.say(*frames)
        return payload

    async def hang_up(self) -> None:
        await self._stream.aclose()


@asynccontextmanager
async def faced(folder, *, forward=None, **changes):
    """A container, and the fake runner at the other end of its line."""
    calm = {"file_deadline": 5.0, "timeout": 5.0, "kill_grace": 2.0}
    settings = SandboxSettings(**{**calm, **changes})
    listener = await anyio.create_unix_listener(folder / "s")
    async with listener, await anyio.connect_unix(folder / "s") as stream:
        transport = SocketTransport(await listener.accept())
        box = Container(
            name="n",
            settings=settings,
            engine=RemovedQuietly(settings),
            line=Line(transport, deadline=settings.file_deadline),
            folder=folder / "none",
            forward=forward,
        )
        async with anyio.create_task_group() as tasks:
            await tasks.start(box._live)
            try:
                yield box, FakeRunner(stream)
            finally:
                await box.destroy()


async def against(folder, answers: bytes, use, **changes):
    """Use a container whose runner answers the first request with these bytes; then, is it still usable?"""
    async with faced(folder, **changes) as (box, runner), anyio.create_task_group() as tasks:

        async def talk():
            await runner.asked()
            await runner.say(answers)

        tasks.start_soon(talk)
        return await use(box), box.usable
