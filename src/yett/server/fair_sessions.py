# SPDX-License-Identifier: Apache-2.0
"""The SDK's sessions over HTTP, with a share for each agent, so that one can't shut the others out.

The SDK counts all sessions together and has no public place to count them apart, so its private way of
admitting one is extended, here only. Used by `http.py`.
"""

from __future__ import annotations

from typing import Any

from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager


class FairSessions(StreamableHTTPSessionManager):
    """The SDK's manager; `per_agent` is how many sessions one agent may hold open."""

    def __init__(self, server: Any, *, per_agent: int, **options: Any) -> None:
        super().__init__(server, **options)
        self._per_agent = per_agent

    def _admit_session(self, requestor: AuthorizationContext | None) -> StreamableHTTPServerTransport | None:
        # Called under the SDK's lock, without an await: no burst gets past it. None is answered with 503.
        if sum(owner == requestor for owner in self._session_owners.values()) >= self._per_agent:
            return None
        return super()._admit_session(requestor)
