# SPDX-License-Identifier: Apache-2.0
"""What passes while an action runs: its output, what its caller is told, and texts to be looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

OnOutput: TypeAlias = Callable[[str, bytes], Awaitable[None]]
"""Called with `stdout` or `stderr` and the bytes, as they come."""

Screen: TypeAlias = Callable[[str], Awaitable[str]]
"""A text as the agent may see it: redacted like a result. For what is cut in pieces afterwards."""

Tell: TypeAlias = Callable[[float, str], Awaitable[None]]
"""Tells a caller how far its call is: seconds since it began to run, and a line or more of text."""
