# SPDX-License-Identifier: Apache-2.0
"""`ClosedVault`: this version issues no privacy tokens, so whatever looks like one is a forgery.

A `${secret:}` placeholder in an agent's words is refused too: credentials are put in at the edge, only
in the field that the configuration names (law 6). Pure; the pipeline calls it before the decision.
"""

from __future__ import annotations

import re

from yett.action import JsonObject, Principal
from yett.errors import BadRequest
from yett.privacy.normalise import plain
from yett.privacy.walk import OverLimitError, Walker

TOKEN = re.compile(r"\bPII_[A-Z][A-Z_]{1,30}_(?=[a-z2-7]{0,25}[2-7])[a-z2-7]{8,26}\b")
"""The shape of the privacy tokens of a later version."""

_PLACEHOLDER = re.compile(r"\$\s*\{\s*secret\s*:", re.IGNORECASE)


class ClosedVault:
    """Resolves nothing. Implements `ports.Vault`. Limits are those of `PrivacySettings`."""

    def __init__(self, *, max_bytes: int = 4 << 20, max_depth: int = 64, max_leaves: int = 100_000) -> None:
        self._limits = (max_bytes, max_depth, max_leaves)

    def resolve(self, arguments: JsonObject, principal: Principal) -> JsonObject:  # noqa: ARG002 - no tokens, no owners
        """The arguments as they are.

        Raises:
            BadRequest: a token-shaped text, a `${secret:}` placeholder, or more than may be looked at.
        """
        max_bytes, max_depth, max_leaves = self._limits
        walker = Walker(
            on_text=lambda text, _key, _place: _refuse(text),
            on_name=lambda name, _place: (_refuse(name), name),
            max_bytes=max_bytes,
            max_depth=max_depth,
            max_leaves=max_leaves,
        )
        try:
            walker.rewrite(arguments, "")
        except OverLimitError as error:
            raise BadRequest(f"The arguments are over a limit: {error}.") from error
        return arguments


def _refuse(text: str) -> str:
    form = plain(text).text
    if _PLACEHOLDER.search(form):
        raise BadRequest("A ${secret:...} placeholder works only in the gate's own configuration.")
    if TOKEN.search(form):
        raise BadRequest("This privacy token was not issued to you; write the value itself.")
    return text


__all__ = ["TOKEN", "ClosedVault"]
