# SPDX-License-Identifier: Apache-2.0
"""A real gateway in a temporary folder, driven as a person drives it: by its command line.

Used by the end-to-end scripts beside it and by the tests of the examples. It uses nothing of the package
but the program.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

YETT = str(Path(sys.executable).with_name("yett"))
DEADLINE = 120.0


class Gateway:
    """The configuration in a folder of its own, and `yett ...` on it."""

    def __init__(self, folder: Path, configuration: str) -> None:
        self.folder = folder
        self.config = folder / "yett.yaml"
        self.state = folder / "state"
        self.config.write_text(configuration, encoding="utf-8")
        self.config.chmod(0o600)

    def run(self, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run `yett WORDS` and give back how it ended."""
        command = [YETT, *words, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, env=env)

    def yett(self, *words: str) -> str:
        """Run `yett WORDS`, which must succeed; give back what it printed."""
        done = self.run(*words)
        if done.returncode:
            raise AssertionError(
                f"yett {' '.join(words)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def lines(self, *words: str) -> list[dict]:
        """What `yett WORDS --json` printed, a document a line."""
        return [json.loads(line) for line in self.yett(*words, "--json").splitlines()]

    def token(self, agent: str) -> str:
        """A new credential of an agent, for an HTTP client."""
        return self.lines("agents", "add", agent, "--show")[0]["token"]

    def events(self) -> list[dict]:
        """What the log holds of yett's own: event, action, rule and so on."""
        return [record["unmapped"]["yett"] for record in self.lines("audit", "tail", "-n", "1000")]

    def stop(self) -> None:
        """End the gateway and wait until its process lets go of the state folder."""
        lock = self.state / "gateway.lock"
        if not lock.exists():
            return  # none has run
        self.run("gateway", "--stop")
        with lock.open("rb") as file:
            until = time.monotonic() + DEADLINE
            while not _free(file.fileno()):
                if time.monotonic() > until:
                    raise AssertionError(f"the gateway of {self.state} does not end")
                time.sleep(0.05)

    def containers(self) -> list[str]:
        """What the engine still has of this gateway's containers, running or not."""
        instance = hashlib.sha256(str(self.state.resolve()).encode()).hexdigest()[:16]
        engine = docker.from_env()
        try:
            found = engine.containers.list(all=True, filters={"label": f"yett.gateway={instance}"})
            return [container.id for container in found]
        finally:
            engine.close()


@contextmanager
def gateway(configuration: str, folder: str = ".") -> Iterator[Gateway]:
    """A gateway's folder (its file says `state: state`), gone with everything in it when the block ends."""
    with tempfile.TemporaryDirectory(prefix="yett-e2e-") as temporary:
        place = Path(temporary, folder)
        place.mkdir(exist_ok=True)
        made = Gateway(place, configuration)
        try:
            yield made
        finally:
            made.stop()


def _free(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Checks:
    """One line a check; the first that fails ends the program with what was seen."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self._held = 0

    def expect(self, sentence: str, held: object, seen: object) -> None:
        """`sentence` says what must be; `seen` is shown when it is not."""
        now = time.monotonic()
        print(f"{'ok  ' if held else 'FAIL'}  {now - self._last:5.1f} s  {sentence}", flush=True)
        self._last = now
        if not held:
            print(seen if isinstance(seen, str) else json.dumps(seen, indent=2, default=str), file=sys.stderr)
            raise SystemExit(1)
        self._held += 1

    def done(self) -> None:
        """The last line."""
        print(f"{self._held} checks in {time.monotonic() - self._began:.0f} s")
