# SPDX-License-Identifier: Apache-2.0
"""What is told of a call while it runs, and the look at texts that a tool keeps. One of each a call.

Progress is seconds and bytes, about once a second, and lines of output only where they are known to hold no
less than the result would: whole lines, redacted together with the lines before them. A stream is not shown
while a block that begins like a key is open, and not any more once it looks like one JSON document, comes
faster than can be looked at, or a line turns out to belong to something private that has begun before it.
Nothing is told after the result. Called by `pipeline.py` alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio

from yett.action import Finding, OnOutput, RedactedResult, Screen, Tell, ToolResult

Look = Callable[[ToolResult], Awaitable[RedactedResult]]
"""The pipeline's inbound redaction for one action."""

_OPENS, _CLOSES = "-----BEGIN", "-----END"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressSettings:
    """Limits of progress: seconds between two tellings and for a client to take one; bytes and characters.

    `held`: bytes of a stream that wait to be looked at, and no stream is shown that has more. `context`:
    characters of shown lines that later ones are looked at together with. `shown`: characters of one telling.
    """

    interval: float = 1.0
    send: float = 5.0
    held: int = 64 << 10
    context: int = 4 << 10
    shown: int = 2 << 10


class Screener:
    """Looks at texts of one call (`action.Screen`) and remembers what was found in them."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self.findings: tuple[Finding, ...] = ()

    async def __call__(self, text: str) -> str:
        """The text as the agent may see it; words of refusal where it may not."""
        seen = await self._look(ToolResult.text(text))
        self.findings += seen.findings
        return "\n".join(str(block.get("text", "")) for block in seen.result.content)


@dataclass(slots=True)
class _Stream:
    """One stream of output on its way. `raw` are the last lines that were shown, `seen` how they look."""

    limits: ProgressSettings
    waiting: bytearray = field(default_factory=bytearray)
    raw: str = ""
    seen: str = ""
    started: bool = False
    silent: bool = False

    def add(self, data: bytes) -> None:
        if self.silent:
            return
        if not self.started and (begin := data.lstrip()):
            self.started = True
            # As a whole it would be looked at as JSON, with the names that say what a value is.
            self.silent = begin[:1] in {b"{", b"["}
        self.waiting += data
        if len(self.waiting) > self.limits.held:
            self.silent = True
        if self.silent:
            self.waiting.clear()

    async def lines(self, screen: Screen) -> str:
        """The whole lines that came since, as they may be shown."""
        end = self.waiting.rfind(b"\n") + 1
        if not end:
            return ""
        raw = self.raw + bytes(self.waiting[:end]).decode(errors="replace")
        if raw.rfind(_OPENS) > raw.rfind(_CLOSES):
            return ""
        seen = await screen(raw)
        if not seen.startswith(self.seen):
            self.silent = True
            self.waiting.clear()
            return ""
        fresh = seen[len(self.seen) :]
        del self.waiting[:end]
        cut = (
            raw.find("\n", max(0, len(raw) - self.limits.context - 1)) + 1
            if len(raw) > self.limits.context
            else 0
        )
        self.raw = raw[cut:]
        self.seen = await screen(self.raw)
        return fresh


class Progress:
    """Tells one caller of one call."""

    def __init__(self, tell: Tell, look: Look, settings: ProgressSettings) -> None:
        self._tell = tell
        self._screen = Screener(look)
        self._settings = settings
        self._streams: dict[str, _Stream] = {}
        self._bytes = 0

    async def on_output(self, stream: str, data: bytes) -> None:
        """Take output as it comes (`action.OnOutput`). Waits for nobody."""
        self._bytes += len(data)
        self._streams.setdefault(stream, _Stream(self._settings)).add(data)

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[OnOutput]:
        """Tell while the body runs. What the body raises comes out as it is, in no exception group."""
        fault: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell_on)
            try:
                yield self.on_output
            except Exception as error:  # noqa: BLE001 - raised again below, outside of the group
                fault = error
            tasks.cancel_scope.cancel()
        if fault is not None:
            raise fault

    async def _tell_on(self) -> None:
        began = anyio.current_time()
        while True:
            await anyio.sleep(self._settings.interval)
            text = await self._text()
            seconds = anyio.current_time() - began
            head = f"{seconds:.0f} s" + (f", {self._bytes} bytes of output" if self._bytes else "")
            with anyio.move_on_after(self._settings.send) as sending:
                await self._tell(round(seconds, 3), f"{head}\n{text}" if text else head)
            if sending.cancelled_caught:
                return  # a client that does not read is told nothing more, and holds nothing up

    async def _text(self) -> str:
        """The last whole lines of what came since the last telling."""
        fresh = "".join([await stream.lines(self._screen) for stream in self._streams.values()])
        if len(fresh) > self._settings.shown:
            cut = fresh.find("\n", len(fresh) - self._settings.shown - 1) + 1
            fresh = fresh[cut:] if 0 < cut < len(fresh) else ""
        return fresh.removesuffix("\n")


@asynccontextmanager
async def told(tell: Tell | None, look: Look, settings: ProgressSettings) -> AsyncIterator[OnOutput | None]:
    """Progress for a caller who asked for it: where a tool's output goes; None where nobody asked."""
    if tell is None:
        yield None
        return
    async with Progress(tell, look, settings).telling() as on_output:
        yield on_output


__all__ = ["Look", "Progress", "ProgressSettings", "Screener", "told"]
