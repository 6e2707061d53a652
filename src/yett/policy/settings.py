# SPDX-License-Identifier: Apache-2.0
"""The limits of the policy room: plain values with safe defaults, mapped from yett.yaml by app.py.

What is over a limit is not an error of the call: the fact or the argument is unreadable, its
condition is unknown, and the call comes out stricter (law 2).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """Limits of reading and of memory.

    Args:
        max_rules: rules in one file; more is a ConfigurationError.
        max_path: characters of a path that is still read as a path (PATH_MAX of Linux).
        max_url: characters of a URL that is still read.
        max_sql: characters of a SQL text that is still parsed.
        max_leaves: values of one call that `args.*` still looks at.
        max_shards: enforcers that are kept, one a tool and set of roles; then all are built anew.
    """

    max_rules: int = 20_000
    max_path: int = 4096
    max_url: int = 8192
    max_sql: int = 65_536
    max_leaves: int = 10_000
    max_shards: int = 4096
