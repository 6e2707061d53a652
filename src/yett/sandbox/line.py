# SPDX-License-Identifier: Apache-2.0
"""The gateway's end of one container's line: frames out in order, answers in, each to whom it is for.

One task reads and never waits for anybody: whoever takes answers does so at once and bounds what it keeps.
One task writes what others leave to be sent. The first thing that nobody asked for, a frame that stays
unfinished, a request that the container does not take, or its end, breaks the line for good: everyone who
waits is told, and `container.py`, its owner, destroys the container.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

import anyio

from yett.errors import ExecutionError, ExecutionTimeout
from yett.sandbox.connection_frames import ConnectionFrame
from yett.sandbox.protocol import Answer, Exit, Hello, Output, Parser
from yett.sandbox.share import Share
from yett.sandbox.transport import Peer, Transport
from yett.sandbox.wire import ProtocolViolation

_SLICE = 4096
"""Bytes that are taken before it is seen whether others should have their turn."""

_POSTED_LIMIT = 1024
"""Frames that wait to be written because the container does not read."""


class Listener(Protocol):
    """Takes the answers to the request that is open."""

    def take(self, answer: Answer) -> bool:
        """Take an answer at once; true when it was the last.

        Raises:
            ProtocolViolation: it does not fit.
        """
        ...

    def broken(self) -> None:
        """The line is broken; no answer will come any more."""
        ...


class Aside(Protocol):
    """What happens on a line beside the call that is open. `background.py` and `connections.py` are."""

    @property
    def quiet(self) -> bool:
        """Whether nothing of it can come now."""
        ...

    def take(self, frame: Answer | ConnectionFrame) -> None:
        """Take one at once.

        Raises:
            ProtocolViolation: it does not fit.
        """
        ...

    def broken(self) -> None:
        """The line is broken; tell everyone who waits."""
        ...


class Conversation:
    """One request in slot 0 and its answers. Left before its last answer it breaks the line."""

    def __init__(self, line: Line, listener: Listener) -> None:
        """Made by `Line.converse`."""
        self._line = line
        self._listener = listener
        self._ended = anyio.Event()
        self.over = False
        """Whether the last answer has come."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        self._line.leave(self)

    def take(self, answer: Answer) -> None:
        """Called by the line with each answer."""
        if self._listener.take(answer):
            self.over = True
            self._ended.set()

    def broken(self) -> None:
        """Called by the line when no answer will come any more."""
        self._ended.set()
        self._listener.broken()

    async def end(self) -> None:
        """Wait for the last answer.

        Raises:
            ExecutionError: the line broke; `ProtocolViolation` where that was why.
        """
        await self._ended.wait()
        if not self.over:
            self._line.check()


class Line:
    """Everything that is said to and by one PID 1."""

    def __init__(self, transport: Transport, *, deadline: float) -> None:
        """Own `transport`; `deadline` is how long one request or one frame may be on its way, in seconds."""
        self._transport = transport
        self._deadline = deadline
        self._parser = Parser()
        self._share = Share()
        self._frame_begun: float | None = None
        self._conversation: Conversation | None = None
        self._background: Aside | None = None
        self._connections: Aside | None = None
        self._sending = anyio.Lock(fast_acquire=True)
        self._posted: deque[tuple[bytes, anyio.Event]] = deque()
        self._post = anyio.Event()
        self._serving: anyio.CancelScope | None = None
        self._fault: ExecutionError | None = None

    @property
    def peer(self) -> Peer | None:
        """Who is at the other end, where the kernel tells."""
        return self._transport.peer

    @property
    def whole(self) -> bool:
        """Whether it can still be used."""
        return self._fault is None

    @property
    def idle(self) -> bool:
        """Whether no request is open."""
        return self._conversation is None

    def beside(self, *, background: Aside, connections: Aside) -> None:
        """Say who takes what comes beside the open request. Before `serve`."""
        self._background, self._connections = background, connections

    async def hello(self) -> Hello:
        """The first answer, before `serve`.

        Raises:
            ExecutionError: the other end is gone.
            ProtocolViolation: it is another, or more than that.
        """
        answers: list[Answer | ConnectionFrame] = []
        while not answers:
            answers = self._parser.feed(await self._transport.receive())
        if len(answers) > 1 or self._parser.waiting or not isinstance(answers[0], Hello):
            raise ProtocolViolation("The first word was no greeting, or not the only one.")
        return answers[0]

    async def serve(self) -> None:
        """Read and write until the line is broken."""
        try:
            async with anyio.create_task_group() as tasks:
                self._serving = tasks.cancel_scope
                tasks.start_soon(self._write)
                if self._fault is None:
                    await self._read()
                tasks.cancel_scope.cancel()
        finally:
            self.break_(ExecutionError("The sandbox died."))

    def converse(self, listener: Listener) -> Conversation:
        """Open a request: what slot 0 answers goes to `listener` from now on.

        Raises:
            ExecutionError: the line is broken, or another request is open.
        """
        if self._fault is not None or self._conversation is not None:
            raise ExecutionError("The sandbox is gone; the next call gets a new one.")
        self._conversation = Conversation(self, listener)
        return self._conversation

    def leave(self, conversation: Conversation) -> None:
        """Called by a conversation at its end."""
        if self._conversation is conversation:
            self.break_(ExecutionError("The sandbox was given up in the middle of a call."))

    async def send(self, frame: bytes) -> None:
        """Send a frame, whole or not at all; given up in the middle it breaks the line.

        Raises:
            ExecutionError: the line is broken.
            ExecutionTimeout: the container does not read.
        """
        async with self._sending:
            self.check()
            sent = False
            try:
                with anyio.fail_after(self._deadline):
                    await self._transport.send(frame)
                sent = True
            except TimeoutError:
                raise ExecutionTimeout("The sandbox did not answer in time and was destroyed.") from None
            finally:
                if not sent:
                    self.break_(ExecutionError("The sandbox died."))

    def post(self, frame: bytes) -> anyio.Event:
        """Have a frame sent soon, without waiting; the event is when it was, or never will be.

        A container that makes us answer and does not read the answers breaks its line.
        """
        sent = anyio.Event()
        if len(self._posted) >= _POSTED_LIMIT:
            self.break_(ProtocolViolation("The sandbox does not read what it asks for."))
        if self._fault is not None:
            sent.set()
            return sent
        self._posted.append((frame, sent))
        self._post.set()
        return sent

    def break_(self, fault: ExecutionError) -> None:
        """Nothing is said here any more. The first fault stays."""
        if self._fault is not None:
            return
        self._fault = fault
        if self._serving is not None:
            self._serving.cancel()
        if self._conversation is not None:
            self._conversation.broken()
        for aside in (self._background, self._connections):
            if aside is not None:
                aside.broken()
        while self._posted:
            self._posted.popleft()[1].set()

    def check(self) -> None:
        """Raise what broke the line, if it is broken.

        Raises:
            ExecutionError: that.
        """
        if self._fault is not None:
            raise type(self._fault)(str(self._fault))

    async def close(self) -> None:
        """Close at once; an honest PID 1 exits with it."""
        self.break_(ExecutionError("The sandbox died."))
        await self._transport.close()

    async def _read(self) -> None:
        try:
            while True:
                with self._frame_in_time():
                    data = await self._transport.receive()
                await self._take(memoryview(data))
        except TimeoutError:
            self.break_(ProtocolViolation("A frame was begun and not ended."))
        except ExecutionError as fault:
            self.break_(fault)

    async def _take(self, data: memoryview) -> None:
        """Give away what these bytes hold. Many small frames are work: others have their turn meanwhile.

        A call that begins meanwhile must find nothing here, for it came before the call did.
        """
        called = self._conversation
        whole = 0
        self._share.begin_turn()
        for at in range(0, len(data), _SLICE):
            answers = self._parser.feed(data[at : at + _SLICE])
            for answer in answers:
                self._give(answer, called)
            whole += len(answers)
            if self._share.turn_is_over:
                await anyio.sleep(self._share.end_turn())
                self._share.begin_turn()
        self._note_rest(goes_on=not whole)
        pause = self._share.end_turn()
        if pause:
            await anyio.sleep(pause)

    @contextlib.contextmanager
    def _frame_in_time(self) -> Iterator[None]:
        """A frame that was begun has a deadline that more bytes of it do not move."""
        if self._frame_begun is None:
            yield
            return
        with anyio.fail_after(max(0.0, self._frame_begun + self._deadline - anyio.current_time())):
            yield

    def _note_rest(self, *, goes_on: bool) -> None:
        if not goes_on:
            self._frame_begun = None
        if not self._parser.waiting:
            return
        if self._conversation is None and self._quiet(self._background) and self._quiet(self._connections):
            raise ProtocolViolation("The beginning of an answer to something that was not asked.")
        if self._frame_begun is None:
            self._frame_begun = anyio.current_time()

    @staticmethod
    def _quiet(aside: Aside | None) -> bool:
        return aside is None or aside.quiet

    def _give(self, answer: Answer | ConnectionFrame, called: Conversation | None) -> None:
        aside = self._aside(answer)
        if aside is not None:
            aside.take(answer)
        elif called is None or self._conversation is not called or isinstance(answer, ConnectionFrame):
            raise ProtocolViolation("An answer to something that was not asked.")
        else:
            called.take(answer)
            if called.over:
                self._conversation = None

    def _aside(self, answer: Answer | ConnectionFrame) -> Aside | None:
        if isinstance(answer, ConnectionFrame):
            return self._connections
        if isinstance(answer, Output | Exit) and answer.slot:
            return self._background
        return None

    async def _write(self) -> None:
        with contextlib.suppress(ExecutionError):  # the line is broken then, and everyone was told
            while True:
                await self._post.wait()
                self._post = anyio.Event()
                while self._posted:
                    frame, sent = self._posted[0]
                    await self.send(frame)
                    self._posted.popleft()
                    sent.set()
