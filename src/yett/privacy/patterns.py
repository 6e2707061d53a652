# SPDX-License-Identifier: Apache-2.0
"""`PatternDetector`: validated patterns in linear time, under Presidio's entity names.

RE2 proposes, validators decide (Luhn, mod 97, phonenumbers, names and words around), so that UUIDs,
hashes, timestamps and versions are left alone. It must never use a backtracking engine on a text of
unbounded length. Pure. The redactor calls it for each leaf; it is the default detector.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache

import re2
from stdnum import iban, numdb

from yett.privacy.credentials import find_secrets
from yett.privacy.detector import Span
from yett.privacy.entities import (
    CREDIT_CARD,
    EMAIL_ADDRESS,
    IBAN_CODE,
    IP_ADDRESS,
    PATTERN_ENTITIES,
    PHONE_NUMBER,
    SECRET,
    US_SSN,
)
from yett.privacy.normalise import plain
from yett.privacy.numbers import find_numbers

_DIGIT_RUN = re2.compile(r"[0-9][0-9 \t\n.()/\-+_,]{5,}[0-9]")
_EMAIL = re2.compile(r"[A-Za-z0-9._%+'\-]+@[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)*\.[A-Za-z]{2,24}\b")
_IBAN = re2.compile(r"\b[A-Za-z]{2}[0-9]{2}(?:[ \-]?[A-Za-z0-9]){11,30}")
_IP = re2.compile(r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b|(?:[0-9A-Fa-f]{1,4})?(?::[0-9A-Fa-f]{0,4}){2,7}")
_FILE_ENDINGS = re.compile(r"png|jpe?g|gif|svg|webp|m?js|css|ts|json|md|html|py|map|ico")
_COUNTRIES = numdb.get("iban")
_NUMBERS = frozenset({CREDIT_CARD, US_SSN, PHONE_NUMBER})


class PatternDetector:
    """The default detector. Implements `Detector`."""

    def __init__(self, entities: frozenset[str] = PATTERN_ENTITIES - {IP_ADDRESS}) -> None:
        """Look for these of `PATTERN_ENTITIES`; addresses are too common in tool traffic to be a default."""
        self._entities = entities & PATTERN_ENTITIES

    @property
    def entities(self) -> frozenset[str]:
        """What this detector looks for."""
        return self._entities

    def find(self, text: str, key: str) -> tuple[Span, ...]:
        """The spans in one leaf."""
        form = plain(text)
        spans = [span for span in self._find(form.text, key) if span.entity in self._entities]
        if form.offsets is None:
            return tuple(spans)
        return tuple(Span(span.entity, *form.original(span.start, span.end), span.score) for span in spans)

    def _find(self, text: str, key: str) -> Iterator[Span]:
        if len(text) < 3:
            return
        if SECRET in self._entities:
            yield from find_secrets(text, key)
        if EMAIL_ADDRESS in self._entities and "@" in text:
            yield from _emails(text)
        if self._entities & _NUMBERS:
            for start, end in _spans(_DIGIT_RUN, text):
                yield from find_numbers(text, start, end, key)
        if IBAN_CODE in self._entities:
            yield from _ibans(text)
        if IP_ADDRESS in self._entities:
            yield from _addresses(text)


def _spans(pattern: re2._Regexp, text: str) -> Iterator[tuple[int, int]]:
    # As bytes: then the engine need not translate offsets, and plain text is ASCII.
    for match in pattern.finditer(text.encode()):
        yield match.span()


def _emails(text: str) -> Iterator[Span]:
    for start, end in _spans(_EMAIL, text):
        local, _, domain = text[start:end].partition("@")
        trimmed = local.lstrip(".'-%")
        if not trimmed or trimmed == "git" or _FILE_ENDINGS.fullmatch(domain.rpartition(".")[2]):
            continue
        if any(not label or label[0] == "-" or label[-1] == "-" for label in domain.split(".")):
            continue
        yield Span(EMAIL_ADDRESS, start + len(local) - len(trimmed), end, 0.95)


def _ibans(text: str) -> Iterator[Span]:
    data, place = text.encode(), 0
    while (match := _IBAN.search(data, place)) is not None:
        start, end = match.span()
        stop = _iban_end(text, start, end)
        if stop is not None and iban.is_valid(text[start:stop], check_country=False):
            yield Span(IBAN_CODE, start, stop, 1.0)
            place = stop
        else:
            place = start + 4


def _iban_end(text: str, start: int, end: int) -> int | None:
    """Where a number of this country ends, if a word ends there."""
    missing = _iban_length(text[start : start + 2].upper())
    for place in range(start, end):
        missing -= text[place].isalnum()
        if missing == 0:
            return None if text[place + 1 : place + 2].isalnum() else place + 1
    return None


@lru_cache(maxsize=1024)
def _iban_length(country: str) -> int:
    """How many characters the numbers of a country have, by the registry; 0 for no such country."""
    found = _COUNTRIES.info(country)[0][1].get("bban", "")
    return 4 + sum(map(int, re.findall(r"[0-9]+", found))) if found else 0


def _addresses(text: str) -> Iterator[Span]:
    for start, end in _spans(_IP, text):
        try:
            address = ipaddress.ip_address(text[start:end])
        except ValueError:
            continue
        before, after = text[max(0, start - 1) : start], text[end : end + 2]
        tied = before.isalnum() or before == "." or (after[:1] == "." and after[1:].isdigit())
        if not tied and not address.is_unspecified:
            yield Span(IP_ADDRESS, start, end, 0.8)


__all__ = ["PatternDetector"]
