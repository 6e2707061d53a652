# SPDX-License-Identifier: Apache-2.0
"""A small process beside the gateway that removes the gateway's containers should it be killed.

Only it can: a container that was created and not started has no process that could notice. Made by `pool.py`.
It is no control and gets no secret; without it the next start of a gateway cleans up.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import anyio

_SCRIPT = Path(__file__).with_name("janitor_process.py")
_GRACE = 2.0


class Janitor:
    """The process. Exists from `start` to `aclose`."""

    def __init__(self, engine: str, label: str) -> None:
        """`engine` is where its API listens; all containers of this run carry `label` (`name=value`)."""
        self._engine = engine
        self._label = label
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, where the engine is one it can talk to."""
        if self._engine.partition("://")[0] not in {"unix", "tcp"}:
            return
        with suppress(OSError):
            self._process = subprocess.Popen(  # noqa: S603  (our own file)
                [sys.executable, "-I", "-S", str(_SCRIPT), self._engine, self._label],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,  # what is sent to the gateway's group is not meant for it
            )

    async def aclose(self) -> None:
        """Say that there is nothing to clean up, and see it go. Idempotent."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        with suppress(OSError):
            process.stdin.write(b".")
            process.stdin.close()
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(_GRACE):
                while process.poll() is None:  # noqa: ASYNC110  (a child's end is no event of the loop)
                    await anyio.sleep(0.005)
            process.kill()
            process.wait()
