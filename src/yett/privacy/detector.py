# SPDX-License-Identifier: Apache-2.0
"""The seam for detectors: text in, spans out. Detectors are pure and know nothing of actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]` is an `entity`, with a score from 0 to 1. Offsets are characters."""

    entity: str
    start: int
    end: int
    score: float


class Detector(Protocol):
    """Finds private values in one leaf of a document."""

    @property
    def entities(self) -> frozenset[str]:
        """What this detector can find."""
        ...

    def find(self, text: str, key: str) -> tuple[Span, ...]:
        """The spans in `text`, which stood under the JSON member name `key` (empty: no name)."""
        ...


__all__ = ["Detector", "Span"]
