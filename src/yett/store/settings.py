# SPDX-License-Identifier: Apache-2.0
"""The limits of the store room. Plain values with safe defaults; `app.py` fills them in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Limits of `SqliteStore`.

    `document_limit` is bytes of canonical JSON in one document, `busy_timeout` is the seconds to
    wait for another process's lock on the file, `deadline` the seconds for one call as a whole.
    """

    document_limit: int = 8 << 20
    busy_timeout: float = 5.0
    deadline: float = 10.0
