# SPDX-License-Identifier: Apache-2.0
"""Card, social security and phone numbers among the digits of a text.

Works on runs of digits and separators that the pattern stage cut out. Each place of a run is looked at
a bounded number of times, so the time is linear. It must never take a part of an identifier (UUID,
hash, decimal fraction) for a number of a person. Pure; `patterns.py` calls it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

import phonenumbers
from stdnum import luhn

from yett.privacy.context import CARD_WORDS, PHONE_WORDS, SSN_WORDS, speaks_of
from yett.privacy.detector import Span
from yett.privacy.entities import CREDIT_CARD, PHONE_NUMBER, US_SSN

_DIGITS = re.compile(r"[0-9]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_REGIONS = ("US", "GB", "DE", "FR", "IN")
# The ways cards are printed, and digits or pairs spelled out one by one.
_CARD_SHAPES = {
    4: ((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3)),
    2: ((2,) * 8,),
    1: ((1,) * 16, (1,) * 15),
}
_SSN_SHAPE = (3, 2, 4)
_NANP_SHAPES = ((3, 3, 4), (1, 3, 3, 4))
_GAP = 3
_PHONE_GROUPS, _PHONE_TRIES = 8, 3


@dataclass(frozen=True, slots=True)
class _Group:
    """A group of digits and where it stands in the text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Run:
    """Groups with little between them. `sizes` and `digits` are those of each group."""

    groups: tuple[_Group, ...]
    sizes: tuple[int, ...]
    digits: tuple[str, ...]


def find_numbers(text: str, start: int, end: int, key: str) -> Iterator[Span]:
    """The numbers in the run `text[start:end]`, which is maximal."""
    for groups in _runs(text, start, end):
        digits = tuple(text[group.start : group.end] for group in groups)
        yield from _find(text, _Run(tuple(groups), tuple(map(len, digits)), digits), key)


def _runs(text: str, start: int, end: int) -> list[list[_Group]]:
    """The groups of digits, split where more than a little stands between them."""
    runs: list[list[_Group]] = []
    last = -_GAP - 1
    for match in _DIGITS.finditer(text, start, end):
        first = match.start()
        if first - last > _GAP or text[first - 1] == "+":
            runs.append([])
        runs[-1].append(_Group(first, match.end()))
        last = match.end()
    return runs


def _find(text: str, run: _Run, key: str) -> Iterator[Span]:
    place = 0
    while place < len(run.groups):
        span, used = _at(text, run, place, key)
        if span is not None:
            yield span
        place += used


def _at(text: str, run: _Run, place: int, key: str) -> tuple[Span | None, int]:
    """What starts at this group, and how many groups to go on."""
    for find in (_card, _ssn, _phone):
        found = find(text, run, place, key)
        if found is not None and not _in_identifier(text, found[0].start, found[0].end):
            return found
    return None, 1


_Found = tuple[Span, int] | None


def _card(text: str, run: _Run, place: int, key: str) -> _Found:
    size = run.sizes[place]
    if 12 <= size <= 19:
        return _as_card(text, run, place, 1, key)
    for shape in _CARD_SHAPES.get(size, ()):
        if _has_shape(run, place, shape) and (found := _as_card(text, run, place, len(shape), key)):
            return found
    return _as_card(text, run, 0, len(run.groups), key) if place == 0 and len(run.groups) <= 19 else None


def _as_card(text: str, run: _Run, place: int, count: int, key: str) -> _Found:
    digits = "".join(run.digits[place : place + count])
    if not 12 <= len(digits) <= 19 or digits[0] not in "23456":
        return None
    known, common = _brand(digits)
    if count > 4 and _counts(run.digits[place : place + count]):
        return None
    if (count > 1 and not known) or len(set(digits)) == 1 or not luhn.is_valid(digits):
        return None
    start, end = run.groups[place].start, run.groups[place + count - 1].end
    context = speaks_of(CARD_WORDS, text, start, end, key)
    if not (common or context or (known and count > 3)):
        return None
    return Span(CREDIT_CARD, start, end, 1.0 if context else 0.9), count


def _counts(digits: tuple[str, ...]) -> bool:
    """Whether the groups are numbers in even steps: line numbers or a list, not a card spelled out."""
    numbers = [int(group) for group in digits]
    return len({after - before for before, after in pairwise(numbers)}) == 1


def _brand(digits: str) -> tuple[bool, bool]:
    """Whether some network issues numbers like this, and whether this is the common length for it."""
    length, two, four = len(digits), int(digits[:2]), int(digits[:4])
    if digits[0] == "4":
        return length in {13, 16, 19}, length == 16
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return length == 16, length == 16
    if two in {34, 37}:
        return length == 15, length == 15
    if two in {30, 36, 38, 39}:
        return length in {14, 16}, False
    if 3528 <= four <= 3589 or two in {60, 62, 64, 65}:
        return 16 <= length <= 19, length == 16
    return two in {50, 56, 57, 58} or digits[0] == "6", False


def _ssn(text: str, run: _Run, place: int, key: str) -> _Found:
    if _has_shape(run, place, _SSN_SHAPE):
        count = 3
        groups = run.groups[place : place + 3]
        gaps = {text[left.end : right.start] for left, right in pairwise(groups)}
        if len(gaps) != 1 or not gaps <= {"-", " ", ".", "/"}:
            return None
        sure = gaps == {"-"}
    elif run.sizes[place] == 9:
        count, sure = 1, False
    else:
        return None
    digits = "".join(run.digits[place : place + count])
    start, end = run.groups[place].start, run.groups[place + count - 1].end
    if digits[:3] in {"000", "666"} or digits[0] == "9" or digits[3:5] == "00" or digits[5:] == "0000":
        return None
    context = speaks_of(SSN_WORDS, text, start, end, key)
    if not (sure or context) or _continues(text, start, end):
        return None
    return Span(US_SSN, start, end, 1.0 if context else 0.85), count


def _phone(text: str, run: _Run, place: int, key: str) -> _Found:
    first = run.groups[place].start
    if first > 0 and text[first - 1] == "+":
        return _longest_phone(text, run, place, (None,), 0.9)
    for shape in _NANP_SHAPES:
        if _has_shape(run, place, shape):
            end = run.groups[place + len(shape) - 1].end
            free = not _continues(text, first, end) and _is_phone(text[first:end], "US")
            return _phone_span(text, first, end, 0.6, len(shape)) if free else None
    size = sum(run.sizes[:_PHONE_GROUPS])
    if place == 0 and size >= 7 and speaks_of(PHONE_WORDS, text, first, run.groups[0].end, key):
        return _longest_phone(text, run, place, _REGIONS, 0.7)
    return None


def _longest_phone(text: str, run: _Run, place: int, regions: tuple[str | None, ...], score: float) -> _Found:
    """The longest of the groups, from this one on, that are a valid number somewhere."""
    start = run.groups[place].start - (regions == (None,))
    lengths = accumulate(run.sizes[place : place + _PHONE_GROUPS])
    counts = [count for count, length in enumerate(lengths, 1) if 7 <= length <= 15]
    for count in counts[: -_PHONE_TRIES - 1 : -1]:
        end = run.groups[place + count - 1].end
        if any(_is_phone(text[start:end], region) for region in regions):
            return _phone_span(text, start, end, score, count)
    return None


def _phone_span(text: str, start: int, end: int, score: float, count: int) -> _Found:
    opened = start > 0 and text[start - 1] == "("
    return Span(PHONE_NUMBER, start - opened, end, score), count


def _is_phone(text: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        return False


def _has_shape(run: _Run, place: int, shape: tuple[int, ...]) -> bool:
    return run.sizes[place : place + len(shape)] == shape


def _continues(text: str, start: int, end: int) -> bool:
    """Whether a dash or dot ties the value to more letters or digits."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return (len(before) == 2 and before[1] in "-./" and before[0].isalnum()) or (
        len(after) == 2 and after[0] in "-/" and after[1].isalnum()
    )


def _in_identifier(text: str, start: int, end: int) -> bool:
    """Whether the value is a part of a word, a UUID or a decimal fraction."""
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    if (before and before.isalnum()) or (after and after.isalnum()):
        return True
    if before == "." and text[max(0, start - 2) : start - 1].isdigit() and text[start:end].isdigit():
        return True
    return any(
        match.start() < end and match.end() > start
        for match in _UUID.finditer(text, max(0, start - 36), end + 36)
    )


__all__ = ["find_numbers"]
