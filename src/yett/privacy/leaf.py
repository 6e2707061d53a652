# SPDX-License-Identifier: Apache-2.0
"""One leaf: look at it with every detector, also through encodings, and put markers into it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yett.action import FindingAction
from yett.privacy.decode import encoded_runs
from yett.privacy.detector import Detector, Span
from yett.privacy.entities import marker
from yett.privacy.normalise import plain

_STRENGTH = {FindingAction.ALLOW: 0, FindingAction.MASK: 1, FindingAction.BLOCK: 2}


@dataclass(frozen=True, slots=True)
class Sighting:
    """A span, and what is to be done about it."""

    span: Span
    action: FindingAction


def look(detectors: Sequence[Detector], text: str, key: str, decoding: int) -> tuple[Span, ...]:
    """What the detectors find in a text, and in text encoded in it, nested up to `decoding` times.

    A finding in an encoded run stands for the whole run. Of equal spans the surest is kept.
    """
    best: dict[tuple[str, int, int], float] = {}
    for detector in detectors:
        for span in detector.find(text, key):
            place = (span.entity, span.start, span.end)
            best[place] = max(span.score, best.get(place, 0.0))
    if decoding and text:
        form = plain(text)
        for run in encoded_runs(form.text):
            start, end = form.original(run.start, run.end)
            for inner in look(detectors, run.decoded, key, decoding - 1):
                place = (inner.entity, start, end)
                best[place] = max(inner.score, best.get(place, 0.0))
    return tuple(Span(*place, score) for place, score in sorted(best.items(), key=lambda item: item[0][1:]))


def mask(text: str, sightings: Sequence[Sighting]) -> str:
    """The text with a marker for each span that is not allowed; overlapping spans share one marker."""
    acted = sorted(
        (item for item in sightings if item.action is not FindingAction.ALLOW),
        key=lambda item: item.span.start,
    )
    parts: list[str] = []
    done, place = 0, 0
    while place < len(acted):
        leader, end = acted[place], acted[place].span.end
        start = leader.span.start
        place += 1
        while place < len(acted) and acted[place].span.start < end:
            leader, end = max(leader, acted[place], key=_weight), max(end, acted[place].span.end)
            place += 1
        parts += [text[done:start], marker(leader.span.entity)]
        done = end
    return "".join([*parts, text[done:]])


def _weight(item: Sighting) -> tuple[int, float, int]:
    return _STRENGTH[item.action], item.span.score, item.span.end - item.span.start


__all__ = ["Sighting", "look", "mask"]
