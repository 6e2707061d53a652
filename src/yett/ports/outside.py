# SPDX-License-Identifier: Apache-2.0
"""The doors to the world: time, chance, what is kept, who people are, and the one way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from yett.action import (
    ApprovalRecord,
    JsonObject,
    Principal,
    Secret,
)


class Secrets(Protocol):
    """Where `${secret:name}` of the configuration is looked up."""

    def get(self, name: str) -> Secret:
        """The secret.

        Raises:
            ConfigurationError: there is none of that name.
        """
        ...


class People(Protocol):
    """Who may approve."""

    async def authenticate(self, credential: Secret) -> str | None:
        """The person's name behind a login token, or None."""
        ...

    def groups(self, person: str) -> frozenset[str]:
        """The person's groups; empty for an unknown person."""
        ...


class Notify(Protocol):
    """Tells people that something waits for them. Never raises and never blocks a call."""

    def approval_pending(self, record: ApprovalRecord) -> None:
        """A new question is waiting."""
        ...


class Store(Protocol):
    """Small durable state: named collections of JSON documents. Writes are durable on return."""

    async def get(self, collection: str, key: str) -> JsonObject | None:
        """The document, or None."""
        ...

    async def put(self, collection: str, key: str, value: JsonObject) -> None:
        """Write the document, whatever was there."""
        ...

    async def swap(
        self, collection: str, key: str, expected: JsonObject | None, value: JsonObject | None
    ) -> bool:
        """Write `value` (None deletes) if and only if the document equals `expected`. Atomic."""
        ...

    async def scan(self, collection: str) -> tuple[tuple[str, JsonObject], ...]:
        """Every document of a collection, by key."""
        ...


class Clock(Protocol):
    """Time, as a door, so that tests and pure code own it."""

    def now(self) -> float:
        """Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...


class Entropy(Protocol):
    """Randomness, as a door."""

    def id(self, prefix: str) -> str:
        """A new unguessable id, `<prefix>-<26 characters>`, sortable by time of making."""
        ...

    def token(self) -> str:
        """256 random bits, URL-safe."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request to send out. `timeout` is seconds for all of it, `limit` bytes of the response."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    timeout: float = 30.0
    limit: int = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """What came back. `truncated` says that the body was cut at the limit."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    url: str
    truncated: bool = False


class Outbound(Protocol):
    """The one path out. Checks host, method, path and the resolved address, and pins it."""

    async def send(self, request: HttpRequest, principal: Principal) -> HttpResponse:
        """Send one request. Never follows a redirect.

        Raises:
            EgressRefused: not on the list, or no public address.
            ExecutionError: it failed on the way.
        """
        ...
