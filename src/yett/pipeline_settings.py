# SPDX-License-Identifier: Apache-2.0
"""What can be set about the pipeline itself. `app.py` makes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from yett.progress import ProgressSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSettings:
    """Limits of the pipeline itself; waits are seconds.

    `hold` is how long a call waits for a person before it is answered as pending; `grace` is what an
    executor gets on top of the tool's own timeout; `cleanup` bounds the work after a cancelled call.
    Text of more than `thread_over` bytes is inspected off the event loop, in one of `threads` threads and one
    for each agent at a time: what Python computes in threads slows the loop down. An agent has at most
    `calls_per_agent` calls in flight. Failed attempts beyond identity's limit are recorded once in
    `flood_window` for each of `flood_sources` sources.
    """

    hold: float = 4.0
    grace: float = 15.0
    cleanup: float = 10.0
    thread_over: int = 64 << 10
    threads: int = 2
    calls_per_agent: int = 64
    flood_window: float = 60.0
    flood_sources: int = 4096
    progress: ProgressSettings = field(default_factory=ProgressSettings)
