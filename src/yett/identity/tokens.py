# SPDX-License-Identifier: Apache-2.0
"""The form of a token: `yett_<kind>_<name>_<43 random characters><8 hex digits>`.

The prefix and the checksum (CRC-32 of all that stands before it) let secret scanners recognise a
leaked token without asking us; neither protects anything. The secret is the 256 random bits, which
is why a plain SHA-256 is enough to store: there is nothing to guess. Pure. Called by
`credentials.py` only.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""A name in a token: a DNS label, so it holds no `_` and ends where the random part begins."""

_LONGEST: Final = 160
_FORM: Final = re.compile(
    rf"yett_(?P<kind>agent|person)_(?P<name>{NAME.pattern})_[A-Za-z0-9_-]{{43}}[0-9a-f]{{8}}"
)


class CredentialKind(StrEnum):
    """Whom a credential stands for. One kind is never accepted as the other."""

    AGENT = "agent"
    PERSON = "person"


@dataclass(frozen=True, slots=True)
class TokenParts:
    """What a well-formed token claims. Nothing of it is proven."""

    kind: CredentialKind
    name: str


def is_name(name: str) -> bool:
    """Whether this can be the name of an agent or a person with a token."""
    return NAME.fullmatch(name) is not None


def compose(kind: CredentialKind, name: str, random: str) -> str:
    """The token of these parts.

    Raises:
        ValueError: a part that does not fit the form.
    """
    body = f"yett_{kind.value}_{name}_{random}"
    token = f"{body}{_checksum(body)}"
    if parse(token) != TokenParts(kind, name):
        raise ValueError("the parts do not make a token")
    return token


def parse(token: str) -> TokenParts | None:
    """What a token claims, or None if it is not of the form or its checksum is wrong."""
    found = _FORM.fullmatch(token) if len(token) <= _LONGEST else None
    if found is None or _checksum(token[:-8]) != token[-8:]:
        return None
    return TokenParts(CredentialKind(found["kind"]), found["name"])


def fingerprint(token: str) -> str:
    """What is stored of a token: its SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode('utf-8', 'surrogatepass')):08x}"
