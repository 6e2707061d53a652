# SPDX-License-Identifier: Apache-2.0
"""`PresidioDetector`: Presidio's own pattern recognizers, for each leaf, without NER and without network.

Presidio is an optional extra and is imported only when this detector is configured. Recognizers are run
one by one on short texts: the analyzer's engine needs a language model and its context enhancer is
quadratic. tldextract works from its own snapshot; it must never fetch a list. The redactor builds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Protocol

from yett.errors import ConfigurationError
from yett.privacy.detector import Span

_RECOGNIZERS = (
    "CreditCardRecognizer",
    "CryptoRecognizer",
    "EmailRecognizer",
    "IbanRecognizer",
    "IpRecognizer",
    "PhoneRecognizer",
    "UsItinRecognizer",
    "UsSsnRecognizer",
)
WINDOW, OVERLAP = 4_096, 256
"""Longer leaves are looked at in windows, so that the time grows with the length and not faster."""

MIN_SCORE = 0.4
"""What Presidio is less sure of is dropped: without context words its weak patterns match any number."""


class _Result(Protocol):
    entity_type: str
    start: int
    end: int
    score: float


class _Recognizer(Protocol):
    supported_entities: list[str]

    def analyze(self, text: str, entities: list[str], nlp_artifacts: None) -> Sequence[_Result]: ...


class PresidioDetector:
    """Implements `Detector` with presidio-analyzer."""

    def __init__(self) -> None:
        """Load the recognizers.

        Raises:
            ConfigurationError: presidio-analyzer is not installed.
        """
        try:
            module = import_module("presidio_analyzer.predefined_recognizers")
            tldextract = import_module("tldextract")
        except ImportError as error:
            raise ConfigurationError(
                "privacy.detectors names presidio, which is not installed",
                path=("privacy", "detectors"),
                advice="pip install 'yett[presidio]', or take presidio out of privacy.detectors",
            ) from error
        extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
        self._recognizers: list[_Recognizer] = []
        for name in _RECOGNIZERS:
            recognizer = getattr(module, name)()
            if name == "EmailRecognizer":
                recognizer.validate_result = lambda text: extract(text).fqdn != ""
            self._recognizers.append(recognizer)
        self._entities = frozenset(
            entity for recognizer in self._recognizers for entity in recognizer.supported_entities
        )

    @property
    def entities(self) -> frozenset[str]:
        """What these recognizers can find."""
        return self._entities

    def find(self, text: str, key: str) -> tuple[Span, ...]:  # noqa: ARG002 - Presidio has no use for the name
        """The spans in one leaf."""
        return tuple(dict.fromkeys(self._find(text)))

    def _find(self, text: str) -> Iterator[Span]:
        for start in range(0, max(1, len(text) - OVERLAP), WINDOW - OVERLAP):
            part = text[start : start + WINDOW]
            for recognizer in self._recognizers:
                for result in recognizer.analyze(part, recognizer.supported_entities, None):
                    if result.score >= MIN_SCORE:
                        yield Span(
                            result.entity_type,
                            start + result.start,
                            start + result.end,
                            min(1.0, result.score),
                        )


__all__ = ["MIN_SCORE", "OVERLAP", "WINDOW", "PresidioDetector"]
