# SPDX-License-Identifier: Apache-2.0
"""The output of programs that was too long to be shown, kept for a while in this process's memory.

Only screened text is put in: it is given away in pieces, and a piece alone does not tell what is secret in
it. An output belongs to its session, dies with it, and is never written to a disk. The oldest one makes
room. `app.py` owns it, the shell tools use it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from yett.errors import ExecutionError
from yett.tools.settings import OutputLimits

_SHOWN = 64


@dataclass(frozen=True, slots=True)
class _Kept:
    streams: Mapping[str, bytes]

    @property
    def size(self) -> int:
        return sum(len(data) for data in self.streams.values())


class KeptOutputs:
    """Outputs by session and id."""

    def __init__(self, limits: OutputLimits | None = None) -> None:
        """Empty."""
        self._limits = limits or OutputLimits()
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._made: dict[str, int] = {}
        self._bytes = 0
        self._ended: OrderedDict[str, None] = OrderedDict()

    def keep(self, session: str, streams: Mapping[str, bytes], *, name: str = "") -> str | None:
        """Keep an output and give its id; None when it is too large or the session has ended.

        Args:
            session: whose.
            streams: screened, UTF-8.
            name: the id; an output of that name is replaced. Empty: a new one.
        """
        kept = _Kept(dict(streams))
        if session in self._ended or kept.size > min(self._limits.session_bytes, self._limits.all_bytes):
            return None
        if not name:
            self._made[session] = self._made.get(session, 0) + 1
            name = f"out-{self._made[session]}"
        self._drop((session, name))
        self._kept[session, name] = kept
        self._bytes += kept.size
        self._make_room(session)
        return name

    def read(self, session: str, name: str, stream: str) -> bytes:
        """One stream of an output of this session.

        Raises:
            ExecutionError: the session has none of that name.
        """
        kept = self._kept.get((session, name))
        if kept is None or stream not in kept.streams:
            raise ExecutionError(
                f"This session has no output {name[:_SHOWN]!r}: only long outputs are kept, and the oldest "
                "are forgotten first. Run the command again with its output in a file of /workspace."
            )
        return kept.streams[stream]

    def end(self, session: str) -> None:
        """Forget a session's outputs; none is kept for it any more."""
        for key in [key for key in self._kept if key[0] == session]:
            self._drop(key)
        self._made.pop(session, None)
        self._ended[session] = None
        while len(self._ended) > self._limits.ended_sessions:
            self._ended.popitem(last=False)

    def _make_room(self, session: str) -> None:
        limits = self._limits
        own = [key for key in self._kept if key[0] == session]
        size = sum(self._kept[key].size for key in own)
        while len(own) > limits.session_count or size > limits.session_bytes:
            size -= self._drop(own.pop(0))
        while self._bytes > limits.all_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: tuple[str, str]) -> int:
        kept = self._kept.pop(key, None)
        size = kept.size if kept is not None else 0
        self._bytes -= size
        return size


__all__ = ["KeptOutputs"]
