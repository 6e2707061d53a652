# SPDX-License-Identifier: Apache-2.0
"""Where the gateway's own log goes: JSON lines on stderr, and never an exception back.

A terminal that was closed or a disk that is full must not change what happens to a call: the audit log
is what has to be written, and this one is not it. stdout belongs to MCP and to answers.
"""

from __future__ import annotations

import contextlib
import logging
import sys

import structlog


class StderrLogger:
    """Writes a line to the stderr of the moment; a line that can't be written is lost."""

    def msg(self, message: str) -> None:
        """Write one line."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(message + "\n")
            sys.stderr.flush()

    log = debug = info = warn = warning = error = critical = exception = fatal = failure = msg


def log_to_stderr() -> None:
    """Set logging up for a gateway process."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.raiseExceptions = False
    for chatty in ("mcp", "client", "sqlglot"):
        # They log what upstreams and agents send; our own log says what matters without the content.
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: StderrLogger(),
    )
