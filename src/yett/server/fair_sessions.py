# SPDX-License-Identifier: Apache-2.0
"""The SDK's sessions over HTTP, with a share for each agent, so that one can't shut the others out.

An agent that opens more than its share ends its own least recently used quiet session: clients that
went away without a word must not lock their agent out. Only when all are busy is it refused. The SDK
counts all sessions together and has no public place to count them apart, so its private way of
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
        mine = [s for s, owner in self._session_owners.items() if owner == requestor]
        if len(mine) >= self._per_agent and not self._end_quietest(mine):
            return None
        return super()._admit_session(requestor)

    def _end_quietest(self, sessions: list[str]) -> bool:
        """End the session whose idle time began first and that has no request or stream open."""
        quiet = [
            (transport.idle_scope.deadline, session)
            for session in sessions
            if (transport := self._server_instances.get(session)) is not None
            and transport.idle_scope is not None
            and not transport.idle_scope.cancel_called
            and not transport._requests_in_flight  # noqa: SLF001 - see the module's docstring
        ]
        if not quiet:
            return False
        session = min(quiet)[1]
        transport = self._server_instances.pop(session)
        self._session_owners.pop(session, None)
        if transport.idle_scope is not None:
            transport.idle_scope.cancel()
        return True
