# SPDX-License-Identifier: Apache-2.0
"""The program runc: which one, whether it is too old to be trusted, and running it with a deadline.

It gets no variable, no descriptor and no folder of the gateway. Blocking: for worker threads of `runc.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from yett.errors import SandboxUnavailable
from yett.sandbox.breaker import EngineSilent
from yett.sandbox.runc_counts import bound_counts

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ADVICE = "apt-get install runc (1.1.12 or later, or a distribution's version with the fix)"
_SAFE = (1, 1, 12)
"""The first version without CVE-2024-21626."""
_SAFE_DEBIAN = {"1.1.5+ds1-1+deb12u": 1, "1.0.0~rc93+ds1-5+deb11u": 3}
"""Debian's versions with that fix: what their revisions start with, and the first revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuncVersion:
    """What `runc --version` says. `package` is the distribution's version where the build names it."""

    version: str
    package: str

    @property
    def safe(self) -> bool:
        """Whether it carries the fix for CVE-2024-21626, as far as its version tells."""
        numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", self.version)
        if numbers is not None and tuple(int(n) for n in numbers.groups()) >= _SAFE:
            return not self.version.startswith("1.1.12-rc")
        for start, first in _SAFE_DEBIAN.items():
            revision = self.package.removeprefix(start)
            if revision != self.package and re.fullmatch(r"\d+", revision) and int(revision) >= first:
                return True
        return False


def parse_version(text: str) -> RuncVersion:
    """What `runc --version` printed.

    Raises:
        SandboxUnavailable: another program answered.
    """
    version = re.search(r"^runc version (\S+)$", text, re.MULTILINE)
    commit = re.search(r"^commit: (\S+)$", text, re.MULTILINE)
    if version is None:
        raise SandboxUnavailable("The program runc does not say its version.", advice=_ADVICE)
    return RuncVersion(version=version[1], package=commit[1] if commit else "")


class RuncProgram:
    """Runs runc.

    Args:
        state: runc's own folder of states.
        deadline: seconds of each run.
        path: where programs are looked for; not the gateway's PATH, which its user may have set.
    """

    def __init__(self, *, state: Path, deadline: float, path: str = _PATH) -> None:
        """Nothing is run yet."""
        self._state = state
        self._deadline = deadline
        self._path = path

    def version(self) -> RuncVersion:
        """Its version.

        Raises:
            SandboxUnavailable: there is none, it does not answer, or it is too old.
        """
        found = parse_version(self._run(["--version"], output=subprocess.PIPE))
        if not found.safe:
            raise SandboxUnavailable(
                f"runc {found.package or found.version} may have CVE-2024-21626 and is not used.",
                advice=_ADVICE,
            )
        return found

    def start(self, name: str, bundle: Path) -> int:
        """Make and start a container; the pid of its PID 1.

        Its standard streams are /dev/null: a pipe of ours would outlive runc in the container.

        Raises:
            SandboxUnavailable: runc's reason, or it did not end in time and was killed.
        """
        log, pid = bundle / "log", bundle / "pid"
        words = ["--root", str(self._state), "--log", str(log), "--log-format", "json"]
        try:
            self._run([*words, "run", "--detach", "--bundle", str(bundle), "--pid-file", str(pid), name])
        except _Failed as fault:
            raise SandboxUnavailable(f"runc did not start the container: {_reason(log)}") from fault
        return int(pid.read_text())

    def bound(self, pid: int, pidfd: int, counts: Mapping[str, int]) -> None:
        """Bound in a started container what the kernel counts against this host's root too.

        Raises:
            SandboxUnavailable: it could not be.
        """
        bound_counts(pid, pidfd, counts, path=self._path, deadline=self._deadline)

    def _run(self, words: Sequence[str], output: int = subprocess.DEVNULL) -> str:
        program = shutil.which("runc", path=self._path)
        if program is None:
            raise SandboxUnavailable("There is no runc on this machine.", advice=_ADVICE)
        with subprocess.Popen(  # noqa: S603  (runc from the system's own folders)
            [program, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            env={"PATH": self._path},
            cwd="/",
            close_fds=True,
            start_new_session=True,  # so that what it starts can be killed with it
            text=True,
        ) as process:
            try:
                printed, _ = process.communicate(timeout=self._deadline)
            except BaseException as fault:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if isinstance(fault, subprocess.TimeoutExpired):
                    raise EngineSilent(
                        f"runc did not end within {self._deadline:g} s and was killed."
                    ) from None
                raise
        if process.returncode:
            raise _Failed(process.returncode)
        return printed or ""


class _Failed(SandboxUnavailable):
    """runc ended with an exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"runc ended with {code}.", advice=_ADVICE)


def _reason(log: Path) -> str:
    """The last line of runc's log that is an error."""
    with contextlib.suppress(OSError):
        for line in reversed(log.read_text(errors="replace").splitlines()):
            with contextlib.suppress(ValueError):
                entry = json.loads(line)
                if isinstance(entry, dict) and entry.get("level") in {"error", "fatal"}:
                    return str(entry.get("msg", ""))[:500]
    return "it does not say why"
