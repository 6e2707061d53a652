# SPDX-License-Identifier: Apache-2.0
"""What the words around a value and the name of its field say about it. Pure."""

from __future__ import annotations

import re
from enum import StrEnum

BEFORE, AFTER = 48, 24
"""How many characters around a value are its context."""

CARD_WORDS = re.compile(
    r"card|credit|debit|visa|master|amex|discover|diners|maestro|\bcc\b|\bpan\b|payment", re.IGNORECASE
)
SSN_WORDS = re.compile(r"\bssn|social.?sec|_ssn|ssn_", re.IGNORECASE)
PHONE_WORDS = re.compile(
    r"phone|\btel\b|telephone|mobile|\bcell|\bfax|\bcall\b|\bsms\b|whatsapp|_tel\b", re.IGNORECASE
)


class SecretName(StrEnum):
    """What a field's name promises: any value is a secret, or a random-looking one."""

    PASSWORD = "password"  # noqa: S105 - a kind of name
    TOKEN = "token"  # noqa: S105 - a kind of name


_PASSWORDS = re.compile(r"\w*password|passwd|passwort|pwd|pass|passphrase|passcode")
_TOKENS = re.compile(r"secret|token|apikey|credentials?|pat|jwt|authorization|cookie")
_KEYS = re.compile(
    r"access|account|api|app|auth|client|encryption|hmac|license|master|private|secret|service|session|"
    r"shared|signing|ssh|storage|subscription|webhook"
)
_NOT_TOKENS = re.compile(
    r"page|next|prev|previous|continuation|sync|cursor|resume|start|end|stop|eos|bos|pad|csrf"
)
_SUFFIXES = re.compile(r"value|plain|text|raw|b64|base64|hash|string|env|1|2")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def speaks_of(words: re.Pattern[str], text: str, start: int, end: int, key: str) -> bool:
    """Whether the field's name or the words around a value are of this kind."""
    return bool(
        (key and words.search(key))
        or words.search(text[max(0, start - BEFORE) : start])
        or words.search(text[end : end + AFTER])
    )


def secret_name(name: str) -> SecretName | None:
    """What a field of this name holds.

    `db_password`, `apiKey`, `AWS_SECRET_ACCESS_KEY` are secrets; `next_page_token`, `token_type` and
    `public_key` are not.
    """
    words = [word.lower() for word in _WORD.findall(name[-120:])]
    while words and _SUFFIXES.fullmatch(words[-1]):
        words.pop()
    if not words:
        return None
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if _PASSWORDS.fullmatch(last):
        return SecretName.PASSWORD
    if _TOKENS.fullmatch(last) and not _NOT_TOKENS.fullmatch(before):
        return SecretName.TOKEN
    if last == "key" and _KEYS.fullmatch(before):
        return SecretName.TOKEN
    return None


__all__ = ["CARD_WORDS", "PHONE_WORDS", "SSN_WORDS", "SecretName", "secret_name", "speaks_of"]
