# SPDX-License-Identifier: Apache-2.0
"""A gateway for tests of the runner alone: the frames of version 2, written from the README and from nothing else.

The runner is PID 1 of namespaces that `unshare` makes. It must never run outside of them: it ends calls with
`kill(-1)`. Every wait has a deadline.
"""

from __future__ import annotations

import errno
import os
import select
import struct
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

DEADLINE = 20.0
SECRET = b"made-up-secret"
NOBODY = 65534
WINDOW = 64 * 1024
CHUNK = 60 * 1024
PORT = 3128

LIMITS = {"cpu": 0, "file_size": 1, "open_files": 2, "memory": 3}


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<IB", len(payload), kind[0]) + payload


def string(text: str | bytes) -> bytes:
    return (text.encode() if isinstance(text, str) else text) + b"\0"


def run_payload(*argv: str, slot=0, cwd="/", env=None, stdin=b"", limits=()) -> bytes:
    env = {"PATH": "/bin:/usr/bin:/usr/sbin"} if env is None else env
    head = struct.pack("<BHHB", slot, len(argv), len(env), len(limits))
    head += b"".join(struct.pack("<BQ", LIMITS[name], value) for name, value in limits)
    variables = b"".join(string(f"{k}={v}") for k, v in env.items())
    return head + string(cwd) + b"".join(map(string, argv)) + variables + stdin


class Gone(Exception):
    """The runner closed the line."""


class Failed(Exception):
    """The runner answered F."""

    def __init__(self, code: int, word: str) -> None:
        super().__init__(f"{word}: {os.strerror(code)}")
        self.code, self.word = code, word


@dataclass
class Ended:
    """How a program ended, and what it wrote."""

    code: int | None
    signal: int | None
    out: bytes
    err: bytes


@dataclass
class Runner:
    """One runner in namespaces of its own, and the conversation with it."""

    process: subprocess.Popen
    reader: int
    writer: int
    buffer: bytearray = field(default_factory=bytearray)
    kept: list[tuple[str, bytes]] = field(default_factory=list)

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if not select.select([], [self.writer], [], DEADLINE)[1]:
                raise TimeoutError("the runner does not read")
            try:
                view = view[os.write(self.writer, view[:65536]) :]
            except (BrokenPipeError, ConnectionResetError):
                raise Gone from None

    def ask(self, kind: bytes, payload: bytes = b"") -> None:
        self.send(frame(kind, payload))

    def receive(self, deadline=DEADLINE) -> tuple[str, bytes]:
        """The next frame, in order."""
        end = time.monotonic() + deadline
        while True:
            if len(self.buffer) >= 5:
                size, kind = struct.unpack_from("<IB", self.buffer)
                assert size <= CHUNK
                if len(self.buffer) >= 5 + size:
                    payload = bytes(self.buffer[5 : 5 + size])
                    del self.buffer[: 5 + size]
                    return chr(kind), payload
            if not select.select([self.reader], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError("the runner says nothing")
            try:
                data = os.read(self.reader, 1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Gone
            self.buffer += data

    def next_of(self, kinds: str, where=lambda payload: True, deadline=DEADLINE) -> tuple[str, bytes]:
        """The next frame of these kinds; others are kept for later, in their order."""
        for i, (kind, payload) in enumerate(self.kept):
            if kind in kinds and where(payload):
                return self.kept.pop(i)
        end = time.monotonic() + deadline
        while True:
            kind, payload = self.receive(max(0.0, end - time.monotonic()))
            if kind in kinds and where(payload):
                return kind, payload
            self.kept.append((kind, payload))

    def done(self) -> None:
        kind, payload = self.next_of("OF")
        if kind == "F":
            raise Failed(struct.unpack_from("<I", payload)[0], payload[4:].decode())
        assert payload == b""

    def begin(self, port=0) -> None:
        self.ask(b"B", struct.pack("<H", port))
        self.done()

    def start(self, *argv: str, slot: int, **more) -> None:
        """Start a background program."""
        self.ask(b"X", run_payload(*argv, slot=slot, **more))
        self.done()

    def launch(self, *argv: str, **more) -> None:
        """Start the call's program and do not wait for it."""
        self.ask(b"X", run_payload(*argv, **more))

    def run(self, *argv: str, **more) -> Ended:
        self.launch(*argv, **more)
        return self.ended(0)

    def sh(self, script: str, **more) -> Ended:
        return self.run("sh", "-c", script, **more)

    def kill(self, slot: int) -> None:
        self.ask(b"K", bytes([slot]))

    def ended(self, slot: int, deadline=DEADLINE) -> Ended:
        """Collect a slot's output until it ends."""
        out = {"1": b"", "2": b""}
        while True:
            kinds = "12EF" if slot == 0 else "12E"
            kind, payload = self.next_of(kinds, lambda p, k=kinds: "F" in k or p[0] == slot, deadline)
            if kind == "F":
                raise Failed(struct.unpack_from("<I", payload)[0], payload[4:].decode())
            if payload[0] != slot:
                raise AssertionError(f"slot {payload[0]} while {slot} runs")
            if kind == "E":
                _, by_signal, number = payload
                code, sig = (None, number) if by_signal else (number, None)
                return Ended(code, sig, out["1"], out["2"])
            assert len(payload) > 1
            out[kind] += payload[1:]

    def output(self, slot: int, wanted: bytes, deadline=DEADLINE) -> bytes:
        """A slot's standard output until it holds this."""
        out = b""
        while wanted not in out:
            out += self.next_of("1", lambda p: p[0] == slot, deadline)[1][1:]
        return out

    def write(self, path: str, data: bytes, *, append=False) -> None:
        self.ask(b"P", bytes([append]) + string(path) + data)
        self.done()

    def read(self, path: str, *, offset=0, limit=1 << 30) -> bytes:
        self.ask(b"G", struct.pack("<QQ", offset, limit) + string(path))
        data = b""
        while True:
            kind, payload = self.next_of("IDOF")
            if kind == "F":
                raise Failed(struct.unpack_from("<I", payload)[0], payload[4:].decode())
            if kind == "O":
                return data
            data += payload if kind == "D" else b""

    def stat(self, path: str) -> tuple[str, int, int]:
        """Kind, size, mode."""
        self.ask(b"S", string(path))
        kind, payload = self.next_of("IF")
        if kind == "F":
            raise Failed(struct.unpack_from("<I", payload)[0], payload[4:].decode())
        self.done()
        what, size, mode, _, name = struct.unpack("<BQIqH", payload)
        assert name == 0
        return chr(what), size, mode

    def list(self, path: str, limit=1000) -> dict[str, str]:
        self.ask(b"L", struct.pack("<I", limit) + string(path))
        found = {}
        while True:
            kind, payload = self.next_of("NOF")
            if kind == "F":
                raise Failed(struct.unpack_from("<I", payload)[0], payload[4:].decode())
            if kind == "O":
                return found
            while payload:
                what, _, _, _, size = struct.unpack_from("<BQIqH", payload)
                found[payload[23 : 23 + size].decode()] = chr(what)
                payload = payload[23 + size :]

    def exit_code(self, deadline=DEADLINE) -> int:
        """What PID 1 ended with (unshare passes it on)."""
        return self.process.wait(deadline)

    def alive(self) -> list[str]:
        """Command lines of every process of the namespace but PID 1, told by a program that ends with it."""
        return self.run("ps", "-o", "args").out.decode().splitlines()

    def close(self) -> None:
        for fd in {self.reader, self.writer}:
            try:
                os.close(fd)
            except OSError as fault:
                if fault.errno != errno.EBADF:
                    raise
        self.reader = self.writer = -1
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()  # --kill-child takes PID 1 along
            self.process.wait(5)
            raise


WORK = "/mnt/work"
"""A tmpfs of 4 MiB and 512 inodes that belongs to the runner's user."""

SETUP = """
set -e
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /mnt
cp "$YETT_RUNNER" /mnt/yett-runner
if [ "$YETT_LINE" != - ]; then : > /mnt/line; mount --bind "$YETT_LINE" /mnt/line; YETT_LINE=/mnt/line; fi
mkdir /mnt/work
mount -t tmpfs -o size=4m,nr_inodes=512,uid=65534,gid=65534,mode=700 tmpfs /mnt/work
exec setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all \
    env -i YETT_HELLO="$YETT_HELLO" $YETT_PREFIX /mnt/yett-runner "$YETT_LINE"
"""


def launch(runner: Path, where: str, *, prefix="") -> subprocess.Popen:
    """The runner as PID 1 of new namespaces: nobody, no capabilities, a small tmpfs of its own.

    Args:
        runner: the binary.
        where: path of a listening socket, or `-` for the process's standard input and output.
        prefix: a command that runs the binary, such as an emulator.
    """
    namespaces = ["--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--net", "--ipc", "--uts"]
    return subprocess.Popen(
        ["unshare", *namespaces, "sh", "-c", SETUP],
        env={
            "PATH": os.environ["PATH"],
            "YETT_HELLO": SECRET.decode(),
            "YETT_RUNNER": str(runner),
            "YETT_LINE": where,
            "YETT_PREFIX": prefix,
        },
        stdin=subprocess.PIPE if where == "-" else subprocess.DEVNULL,
        stdout=subprocess.PIPE if where == "-" else None,
        start_new_session=True,
    )
