# SPDX-License-Identifier: Apache-2.0
"""What can be set about the audit log. Plain values; `app.py` maps `yett.yaml` onto them."""

from __future__ import annotations

from dataclasses import dataclass, fields

from yett.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """Limits and intervals of the log. Times are seconds, sizes are bytes.

    `segment_bytes`: a segment that has reached this size is followed by a new one.
    `flush_interval`: how long a noted record may wait for a commit to share a flush with.
    `checkpoint_interval`: how often new records are covered by a signature.
    `retry_interval`: how often at most a broken log is tried again.
    `commit_timeout`: how long a caller waits for its record to be durable.
    `queue_records`: how many records may wait for the disk.
    `record_bytes`: how long one line may be.
    """

    segment_bytes: int = 64 << 20
    flush_interval: float = 0.05
    checkpoint_interval: float = 1.0
    retry_interval: float = 1.0
    commit_timeout: float = 10.0
    queue_records: int = 10_000
    record_bytes: int = 4 << 20

    def __post_init__(self) -> None:
        """Refuse what can't work.

        Raises:
            ConfigurationError: a value that is not above zero.
        """
        for item in fields(self):
            if getattr(self, item.name) <= 0:
                raise ConfigurationError(f"audit.{item.name} must be above 0", path=("audit", item.name))


__all__ = ["AuditSettings"]
