# SPDX-License-Identifier: Apache-2.0
"""A gateway for tests of the runner alone: the frames of version 2, written from the README and nothing else.

The runner is PID 1 of namespaces that `unshare` makes. It must never run outside of them: it ends calls with
`kill(-1)`. Every wait has a deadline.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sandbox_world import CACHE

from yett.sandbox.images import compile_runner

DEADLINE = 20.0
SECRET = b"made-up-secret"
PROCESSES = 64
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
        """Send bytes, and take what comes meanwhile: a runner that nobody reads from does not read either."""
        view = memoryview(data)
        os.set_blocking(self.writer, False)
        while view:
            readable, writable, _ = select.select([self.reader], [self.writer], [], DEADLINE)
            if not readable and not writable:
                raise TimeoutError("the runner does not read")
            if readable:
                self.fill()
            try:
                view = view[os.write(self.writer, view) :] if writable else view
            except (BrokenPipeError, ConnectionResetError):
                raise Gone from None
            except BlockingIOError:
                continue

    def fill(self) -> None:
        """One read into the buffer."""
        try:
            data = os.read(self.reader, 1 << 16)
        except ConnectionResetError:
            data = b""
        except BlockingIOError:
            return
        if not data:
            raise Gone
        self.buffer += data

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
            self.fill()

    def next_of(self, kinds: str, where=lambda kind, payload: True, deadline=DEADLINE) -> tuple[str, bytes]:
        """The next frame of these kinds; others are kept for later, in their order."""
        for i, (kind, payload) in enumerate(self.kept):
            if kind in kinds and where(kind, payload):
                return self.kept.pop(i)
        end = time.monotonic() + deadline
        while True:
            kind, payload = self.receive(max(0.0, end - time.monotonic()))
            if kind in kinds and where(kind, payload):
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
            kind, payload = self.next_of(
                "12EF", lambda k, p: slot == 0 if k == "F" else p[0] == slot, deadline
            )
            if kind == "F":
                raise Failed(struct.unpack_from("<I", payload)[0], payload[4:].decode())
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
            out += self.next_of("1", lambda _, p: p[0] == slot, deadline)[1][1:]
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
        """Command lines of every process of the namespace but PID 1, supervisors and the one that tells."""
        lines = self.run("busybox", "ps", "-o", "args").out.decode().splitlines()
        return [line for line in lines[1:] if "/mnt/yett-runner" not in line and "busybox ps" not in line]

    def hang_up(self) -> None:
        """Close the line."""
        for fd in {self.reader, self.writer} - {-1}:
            os.close(fd)
        self.reader = self.writer = -1

    def close(self) -> None:
        """Close the line; PID 1 has to end by itself."""
        self.hang_up()
        try:
            self.process.wait(DEADLINE)
        finally:
            self.process.kill()  # --kill-child takes PID 1 along


WORK = "/mnt/work"
"""A tmpfs of 4 MiB and 512 inodes that belongs to the runner's user."""

SETUP = """
set -e
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /mnt
cp "$YETT_RUNNER" /mnt/yett-runner
if [ "$YETT_LINE" != - ]; then : > /mnt/line; mount --bind "$YETT_LINE" /mnt/line; YETT_LINE=/mnt/line; fi
mkdir /mnt/work
mount -t tmpfs -o size=4m,nr_inodes=512,uid=$YETT_UID,gid=65534,mode=700 tmpfs /mnt/work
if [ -n "$YETT_HIDE_CHILDREN" ]; then
    : > /mnt/hidden; chmod 0 /mnt/hidden; mount --bind /mnt/hidden /proc/1/task/1/children
fi
exec prlimit --nproc=$YETT_PROCESSES:$YETT_PROCESSES \\
    setpriv --reuid=$YETT_UID --regid=65534 --clear-groups --no-new-privs --bounding-set=-all \
    env -i YETT_HELLO="$YETT_HELLO" $YETT_EMULATOR /mnt/yett-runner "$YETT_LINE"
"""


def launch(runner: Path, where: str, *, hide_children=False) -> subprocess.Popen:
    """The runner as PID 1 of new namespaces: no capabilities, a small tmpfs, and a user of its own.

    The user is what keeps a fork bomb from the machine: the kernel lets it have PROCESSES at once.

    Args:
        runner: the binary.
        where: path of a listening socket, or `-` for the process's standard input and output.
        hide_children: as a kernel that does not list a process's children.
    """
    namespaces = ["--pid", "--fork", "--kill-child", "--mount-proc", "--mount", "--net", "--ipc", "--uts"]
    return subprocess.Popen(
        ["unshare", *namespaces, "sh", "-c", SETUP],
        env={
            "PATH": os.environ["PATH"],
            "YETT_HELLO": SECRET.decode(),
            "YETT_RUNNER": str(runner),
            "YETT_LINE": where,
            "YETT_EMULATOR": os.environ.get("YETT_TEST_EMULATOR", ""),
            "YETT_HIDE_CHILDREN": "yes" if hide_children else "",
            "YETT_UID": str(100_000 + secrets.randbelow(900_000)),
            "YETT_PROCESSES": str(PROCESSES),
        },
        stdin=subprocess.PIPE if where == "-" else subprocess.DEVNULL,
        stdout=subprocess.PIPE if where == "-" else None,
        start_new_session=True,
    )


@contextlib.contextmanager
def conversation(binary: Path, *, port=0, attach=False, hide_children=False):
    """A runner that has said it is ready, over a socket or over its standard streams; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="yett-runner-"))
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "line"))
            (folder / "line").chmod(0o666)
            listener.listen(1)
            listener.settimeout(DEADLINE)
            process = launch(binary, "-" if attach else str(folder / "line"), hide_children=hide_children)
            if attach:
                runner = Runner(process, os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno()))
                process.stdout.close(), process.stdin.close()
            else:
                accepted, _ = listener.accept()
                runner = Runner(process, fd := accepted.detach(), fd)
        try:
            assert runner.receive() == ("R", b"\x02" + SECRET)
            if port is not None:
                runner.begin(port)
            yield runner
        finally:
            runner.close()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def runner_binary():
    """The runner of this machine; `make arm64` names another one, and the emulator that runs it."""
    return Path(os.environ.get("YETT_TEST_RUNNER") or compile_runner(CACHE))


@pytest.fixture
def runner(runner_binary):
    with conversation(runner_binary, port=PORT) as open_conversation:
        yield open_conversation
