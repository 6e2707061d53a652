# SPDX-License-Identifier: Apache-2.0
"""The real clock and the real randomness, behind their ports. Joined by `app.py`, faked by tests."""

from __future__ import annotations

import os
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class SystemClock:
    """`ports.Clock` over the operating system."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


class SystemEntropy:
    """`ports.Entropy` over the operating system's generator."""

    def id(self, prefix: str) -> str:
        """48 bits of milliseconds, then 80 random bits, in Crockford's base 32 (as in the ULID spec)."""
        number = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
        letters = []
        for _ in range(26):
            number, digit = divmod(number, 32)
            letters.append(_ALPHABET[digit])
        return f"{prefix}-{''.join(reversed(letters))}"

    def token(self) -> str:
        """256 random bits, URL-safe."""
        return secrets.token_urlsafe(32)
