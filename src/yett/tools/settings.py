# SPDX-License-Identifier: Apache-2.0
"""What can be set about the shell tools and the output that is kept for them. `builtin.py` makes these."""

from __future__ import annotations

from dataclasses import dataclass, fields

from yett.errors import ConfigurationError

SHOWN_LEAST, SHOWN_MOST = 1 << 10, 256 << 10
"""Both streams are shown twice, as text and structured, and all of it is looked at for private data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellLimits:
    """Limits of `shell_run` and what belongs to it.

    `timeout`: seconds of a command, and of one wait for a background program. `background_timeout`:
    seconds of a background program; None where there are none. `output`: bytes kept of each stream.
    `shown`: bytes of each stream that a result shows. `piece`: bytes of one call of `shell_output`.
    """

    timeout: float = 60.0
    background_timeout: float | None = 1800.0
    output: int = 1 << 20
    shown: int = 32 << 10
    piece: int = 64 << 10

    def __post_init__(self) -> None:
        """Refuse what can't work.

        Raises:
            ConfigurationError: `shown` or `piece` out of its bounds.
        """
        for name in ("shown", "piece"):
            if not SHOWN_LEAST <= getattr(self, name) <= SHOWN_MOST:
                raise ConfigurationError(
                    f"`{name}` lies between {SHOWN_LEAST} and {SHOWN_MOST} bytes",
                    path=("tools", "shell", name),
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLimits:
    """Limits of kept output: outputs and bytes of one session, bytes of all; ended sessions remembered."""

    session_count: int = 16
    session_bytes: int = 8 << 20
    all_bytes: int = 64 << 20
    ended_sessions: int = 1024

    def __post_init__(self) -> None:
        """Refuse what can't work.

        Raises:
            ConfigurationError: a limit below one.
        """
        for item in fields(self):
            if getattr(self, item.name) < 1:
                raise ConfigurationError(f"`{item.name}` of kept output must be 1 or more")


__all__ = ["SHOWN_LEAST", "SHOWN_MOST", "OutputLimits", "ShellLimits"]
