# SPDX-License-Identifier: Apache-2.0
"""One request in slot 0 that is no program: its answers, and the kernel's refusal of it.

Called by `container.py`, `files.py` and `background.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import anyio

from yett.errors import ExecutionError, ExecutionTimeout
from yett.sandbox.line import Line
from yett.sandbox.protocol import Answer, Done, Failure
from yett.sandbox.wire import ProtocolViolation

_SUBJECT = 256


class KernelError(ExecutionError):
    """A request the container's kernel refused. The message is the kernel's own."""

    def __init__(self, subject: str, failure: Failure) -> None:
        """`subject` is the path or program."""
        reason = os.strerror(failure.errno) if 0 < failure.errno < 4096 else "unknown error"
        super().__init__(f"{subject[:_SUBJECT]}: {reason}")
        self.errno = failure.errno


class Reply:
    """Takes the answers to one request (`line.Listener`): those of `expected` until `Done` or `Failure`."""

    def __init__(
        self,
        *expected: type[Answer],
        take: Callable[[Answer], None] | None = None,
        done: Callable[[], None] | None = None,
    ) -> None:
        """`take` is given each and raises `ProtocolViolation` for one too many; `done` hears of `Done`."""
        self._expected = expected
        self._take = take
        self._done = done
        self.failure: Failure | None = None

    def take(self, answer: Answer) -> bool:
        """See the port."""
        if isinstance(answer, Failure):
            self.failure = answer
            return True
        if isinstance(answer, Done):
            if self._done is not None:
                self._done()
            return True
        if self._take is None or not isinstance(answer, self._expected):
            raise ProtocolViolation("An answer to something that was not asked.")
        self._take(answer)
        return False

    def broken(self) -> None:
        """`Conversation.end` tells."""


async def ask(line: Line, request: bytes, reply: Reply, deadline: float) -> Failure | None:
    """Send a request and wait for its last answer; why it could not be served, or None.

    Raises:
        ExecutionTimeout: no end within `deadline` seconds; the line is broken.
        ExecutionError: the container is gone.
    """
    with line.converse(reply) as talk:
        try:
            with anyio.fail_after(deadline):
                await line.send(request)
                await talk.end()
        except TimeoutError:
            raise ExecutionTimeout("The sandbox did not answer in time and was destroyed.") from None
    return reply.failure
