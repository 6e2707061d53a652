# SPDX-License-Identifier: Apache-2.0
"""Secrets in a text: keys of known providers, tokens, private key blocks, passwords in URLs and pairs.

One linear-time alternation proposes; a short check of the proposed text decides. Names say what is
secret (`context.secret_name`), so that `next_page_token` or `token_type` stay. It must never take a
placeholder, a reference to a variable or a marker of ours for a secret. Pure; `patterns.py` calls it.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

import re2

from yett.privacy.context import SecretName, secret_name
from yett.privacy.detector import Span
from yett.privacy.entities import SECRET

BLOCK_LIMIT = 16_384
"""A private key block without its end line is followed for so many characters."""

_PROVIDERS = (
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",  # AWS access keys
    r"AIza[0-9A-Za-z_\-]{35}|ya29\.[0-9A-Za-z_\-]{20,}|GOCSPX-[0-9A-Za-z_\-]{28}",  # Google
    r"[0-9A-Za-z_~.]{3}[0-9]Q~[0-9A-Za-z_~.\-]{31,34}",  # Azure client secrets
    r"gh[pousr]_[0-9A-Za-z]{36,}|github_pat_[0-9A-Za-z_]{22,}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas)-[0-9A-Za-z_\-]{20,}",
    r"xox[abeoprs]-[0-9A-Za-z\-]{10,}|xapp-[0-9]-[0-9A-Za-z\-]{10,}",  # Slack
    r"hooks\.slack\.com/services/[0-9A-Za-z/]{20,}",
    r"(?:sk|rk)_(?:live|test|prod)_[0-9A-Za-z]{10,}|whsec_[0-9A-Za-z+/]{32,}",  # Stripe
    r"gsk_[0-9A-Za-z]{40,}|xai-[0-9A-Za-z]{40,}|pplx-[0-9A-Za-z]{40,}|hf_[A-Za-z]{34}",  # model providers
    r"npm_[0-9A-Za-z]{36}|pypi-AgE[0-9A-Za-z_\-]{50,}|dop_v1_[0-9a-f]{64}|dapi[0-9a-f]{32}",
    r"SG\.[0-9A-Za-z_\-]{16,}\.[0-9A-Za-z_\-]{16,}|hvs\.[0-9A-Za-z_\-]{24,}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    r"eyJ[0-9A-Za-z_\-]{8,}\.eyJ[0-9A-Za-z_\-]{4,}\.[0-9A-Za-z_\-]*",  # JWT
    r"AGE-SECRET-KEY-1[0-9A-Z]{50,}",
)
# Prefixes too short to decide by themselves: what follows must look random.
_SHORT = r"sk-[0-9A-Za-z_\-]{20,}"  # OpenAI, Anthropic and those that imitate them

_BLOCK = r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
_URL = r"[A-Za-z][A-Za-z0-9+.\-]*://[^\s/:@\"'<>?#]*:"
_HEADER = r"(?i:bearer|basic)[ \t]+[0-9A-Za-z._~+/=\-]{8,}"
_SIGNED = r"[?&](?i:sig|signature|x-amz-signature|x-goog-signature)=[0-9A-Za-z%+/]{32,}"
_NAME = (
    r"(?i:pass(?:word|wd|wort|phrase|code)?|pwd|secret|token|key|credentials?|jwt|pat|authorization|cookie)"
    r"(?i:[_\-]?(?:value|plain|text|raw|b64|base64|hash|string|env|1|2))?"
)
_ASSIGN = rf"{_NAME}(?:\\?[\"']?[ \t]*(?::=|=>|[:=])[ \t]*|>)"
_FLAG = rf"--[A-Za-z0-9\-]*{_NAME}[ \t]+"
_NETRC = r"(?i:login)[ \t\n]+\S+[ \t\n]+(?i:password)[ \t\n]+"

_OPTIONS = re2.Options()
_OPTIONS.max_mem = 64 << 20
_OPTIONS.log_errors = False

# Values are not part of it: they are cut out by a bounded match, so that no text is proposed twice.
_PATTERN = re2.compile(
    "|".join(
        (
            rf"\b(?:{'|'.join(_PROVIDERS)}|{_SHORT})",
            _BLOCK,
            _URL,
            rf"\b{_HEADER}",
            _SIGNED,
            _FLAG,
            _ASSIGN,
            rf"\b{_NETRC}",
        )
    ),
    _OPTIONS,
)
_PROVIDER = re2.compile("|".join(_PROVIDERS), _OPTIONS)

VALUE_LIMIT = 512
"""A value in a pair or a URL is looked at up to so many characters."""

_VALUE = re.compile(
    r"\\?\"(?P<double>[^\"\n\\]+)\\?\"|'(?P<single>[^'\n]+)'|(?P<bare>[^\s\"',;&<>\\]+)", re.DOTALL
)
_PASSWORD_IN_URL = re.compile(r"[^\s@\"'<>]+@")
_NAME_PART = re.compile(r"[A-Za-z0-9_.\-]*")
_BASE64_BODY = re.compile(r"(?:[A-Za-z0-9+/=\s]|\\[nr])+")
_PLACEHOLDER = re.compile(
    r"\$\{?[A-Za-z_]|\{\{|\{[a-z_]*\}|%[sd(]|<[^>]*>?$|\*{3,}|\.{3}|x{4,}$|process\.env|os\.(?:environ|getenv)|"
    r"\[[A-Z][A-Z_]+\]",
    re.IGNORECASE,
)
_EMPTY_WORDS = re.compile(
    r"null|none|nil|true|false|undefined|required|optional|string|str|int|number|bool|boolean|text|hidden|"
    r"masked|redacted|changeme|example|placeholder|password|passwd|secret|token|key|yes|no|not|any|field|"
    r"input|your|the|must|is|and|or|for|with|prompt|self|this|auto|default|empty|missing|invalid|incorrect|"
    r"wrong|expired"
)


def find_secrets(text: str, key: str) -> Iterator[Span]:
    """The secrets in a text whose field is named `key`. Spans may overlap."""
    named = secret_name(key) if key else None
    if named and _is_secret(text.strip(), named, sure=True):
        yield Span(SECRET, 0, len(text), 0.9)
        return
    data = text.encode()
    place = 0
    while (match := _PATTERN.search(data, place)) is not None:
        start, end = match.span()
        found = _judge(text, start, end)
        if found is not None:
            yield found
        place = max(end, found.end if found is not None else 0)


def _judge(text: str, start: int, end: int) -> Span | None:
    proposal = text[start:end]
    if proposal.startswith("-----BEGIN"):
        return _block(text, start, end)
    if _PROVIDER.match(proposal) or (proposal.startswith("sk-") and _looks_random(proposal[3:])):
        return Span(SECRET, start, end, 0.95)
    if proposal[0] in "?&":
        return Span(SECRET, start + proposal.index("=") + 1, end, 0.8)
    if proposal[-1] == ":" and "://" in proposal:
        return _url(text, end)
    words = proposal.split(None, 1)
    if len(words) == 2 and words[0].lower() in {"bearer", "basic"}:
        return _header(words[0].lower(), words[1], end)
    return _pair(text, proposal, start, end)


def _block(text: str, start: int, end: int) -> Span | None:
    """A private key from its first line to its last one, or as far as it goes when that was cut off."""
    close = text.find("-----END", end, end + BLOCK_LIMIT)
    if close >= 0:
        rest = text.find("-----", close + 8, close + 80)
        return Span(SECRET, start, rest + 5 if rest >= 0 else close + 8, 1.0)
    body = _BASE64_BODY.match(text, end)
    return Span(SECRET, start, body.end(), 1.0) if body and body.end() - end >= 40 else None


def _url(text: str, end: int) -> Span | None:
    """Only the password: who logs in where is not secret."""
    match = _PASSWORD_IN_URL.match(text, end, end + VALUE_LIMIT)
    if match is None or _is_placeholder(match[0][:-1]):
        return None
    return Span(SECRET, end, match.end() - 1, 0.9)


def _header(scheme: str, value: str, end: int) -> Span | None:
    if scheme == "basic":
        try:
            sure = b":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
        except binascii.Error:
            sure = False
    else:
        sure = len(value) >= 16 and _looks_random(value)
    return Span(SECRET, end - len(value), end, 0.9) if sure else None


def _pair(text: str, proposal: str, start: int, end: int) -> Span | None:
    """A name and, behind it, a value: `name = value`, `--name value`, `<name>value</name>`, netrc."""
    named = SecretName.PASSWORD if proposal[:5].lower() == "login" else _name(text, proposal, start)
    match = _VALUE.match(text, end, end + VALUE_LIMIT)
    if named is None or match is None:
        return None
    kind = match.lastgroup or "bare"
    value, (first, last) = match[kind], match.span(kind)
    follows = text[last : last + 1]
    settled = kind != "bare" or proposal[-1] != " " or follows in {"", "\n", "\r", "<"} or proposal[0] == "-"
    if kind == "bare":
        if "(" in value or _is_placeholder(value):
            return None
        value = value.rstrip(".)]}")
    if not _is_secret(value, named, sure=settled):
        return None
    return Span(SECRET, first, first + len(value), 0.8)


def _name(text: str, proposal: str, start: int) -> SecretName | None:
    """The whole name that a proposal ends."""
    before = _NAME_PART.match(text[max(0, start - 60) : start][::-1])
    head = _NAME_PART.match(proposal)
    return secret_name((before[0][::-1] if before else "") + (head[0] if head else ""))


def _is_secret(value: str, named: SecretName, *, sure: bool) -> bool:
    """Whether a value under such a name is one: `sure` says that it is clearly the value as a whole."""
    if not value or _is_placeholder(value):
        return False
    if named is SecretName.PASSWORD:
        return len(value) >= 3 and (sure or not value.isalpha())
    bare = value.removeprefix("Bearer ")
    return len(bare) >= 8 and len(bare.split(None, 1)) == 1 and _looks_random(bare)


def _is_placeholder(value: str) -> bool:
    return bool(_EMPTY_WORDS.fullmatch(value[:20].lower().strip(".:!?")) or _PLACEHOLDER.match(value))


def _looks_random(value: str) -> bool:
    """Letters and digits, or both cases in something long: not a word, a name or a count."""
    value = value[:64]
    if value.isdigit():
        return False
    digits = sum(char.isdigit() for char in value)
    letters = sum(char.isalpha() for char in value)
    mixed = not value.islower() and not value.isupper() and any(char.isupper() for char in value[1:])
    return letters > 0 and (digits >= 2 or (digits >= 1 and mixed) or (mixed and len(value) >= 24))


__all__ = ["BLOCK_LIMIT", "VALUE_LIMIT", "find_secrets"]
