# SPDX-License-Identifier: Apache-2.0
"""Tokens of agents and people: issued once, stored as hashes, revoked at once.

Verification looks the SHA-256 of the whole token up in memory. How long that takes depends on the
hash alone, and nobody can choose a token by its hash, so timing tells a caller nothing about a
stored one. The memory is this process's own: there is one gateway for a state directory, and
whoever changes credentials does it through that gateway (or calls `load` again).

It must never store, log or return a token after `issue`. Called by `agents.py`, `people.py`, and by
the command line through the gateway.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, cast

from yett.action import JsonObject, Secret
from yett.errors import BadRequest, EnvironmentFault
from yett.identity import tokens
from yett.identity.settings import CredentialSettings
from yett.identity.tokens import CredentialKind
from yett.ports import Clock, Entropy, Store

COLLECTION: Final = "credentials"
SUSPENSIONS: Final = "suspensions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What is known of an issued token. `tail` is its last four characters, for display."""

    id: str
    kind: CredentialKind
    name: str
    fingerprint: str
    tail: str
    created_at: float
    revoked_at: float | None = None


class Credentials:
    """The book of issued tokens and suspended agents. Call `load` before serving.

    Args:
        store: where hashes survive.
        clock: for the times of issue and revocation.
        entropy: for ids and the secret part of tokens.
        settings: limits.
    """

    def __init__(
        self, store: Store, clock: Clock, entropy: Entropy, settings: CredentialSettings | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._settings = settings or CredentialSettings()
        self._by_fingerprint: dict[str, Credential] = {}
        self._suspended: set[str] = set()

    async def load(self) -> None:
        """Read the book from the store. Until then nobody is known.

        Raises:
            EnvironmentFault: the store holds something else.
        """
        found = [_credential(document) for _, document in await self._store.scan(COLLECTION)]
        suspended = {name for name, _ in await self._store.scan(SUSPENSIONS)}
        self._by_fingerprint = {credential.fingerprint: credential for credential in found}
        self._suspended = suspended

    async def issue(self, kind: CredentialKind, name: str) -> Secret:
        """A new token, valid beside those issued before. This is the only time it can be read.

        Raises:
            BadRequest: a name that can't be in a token, or too many live tokens of this name.
        """
        if not tokens.is_name(name):
            raise BadRequest("A name has 1 to 63 of a-z, 0-9 and -, and neither starts nor ends with -.")
        live = [c for c in self.list() if (c.kind, c.name, c.revoked_at) == (kind, name, None)]
        if len(live) >= self._settings.live_per_name:
            raise BadRequest(f"{name} has {len(live)} live tokens; revoke one first.")
        token = tokens.compose(kind, name, self._entropy.token())
        credential = Credential(
            id=self._entropy.id("crd"),
            kind=kind,
            name=name,
            fingerprint=tokens.fingerprint(token),
            tail=token[-4:],
            created_at=self._clock.now(),
        )
        await self._store.put(COLLECTION, credential.id, _document(credential))
        self._by_fingerprint[credential.fingerprint] = credential
        return Secret(token)

    async def revoke(self, credential_id: str) -> bool:
        """End one token. It is refused from this moment; False if there was no such live token."""
        return await self._revoke(c for c in self.list() if c.id == credential_id) == 1

    async def revoke_all(self, kind: CredentialKind, name: str) -> int:
        """End every token of an agent or a person, and say how many there were."""
        return await self._revoke(c for c in self.list() if (c.kind, c.name) == (kind, name))

    async def _revoke(self, credentials: Iterable[Credential]) -> int:
        revoked = [
            replace(credential, revoked_at=self._clock.now())
            for credential in credentials
            if credential.revoked_at is None
        ]
        # In memory first: if the disk fails, the token is refused all the same, and the error is seen.
        self._by_fingerprint |= {credential.fingerprint: credential for credential in revoked}
        for credential in revoked:
            await self._store.put(COLLECTION, credential.id, _document(credential))
        return len(revoked)

    def list(self) -> tuple[Credential, ...]:
        """Every credential, revoked ones too, oldest first."""
        return tuple(sorted(self._by_fingerprint.values(), key=lambda c: (c.created_at, c.id)))

    async def suspend(self, agent: str) -> None:
        """Refuse an agent whatever its credentials, from this moment until `resume`."""
        self._suspended.add(agent)
        await self._store.put(SUSPENSIONS, agent, {"at": self._clock.now()})

    async def resume(self, agent: str) -> None:
        """Take a suspension back."""
        document = await self._store.get(SUSPENSIONS, agent)
        if document is not None:
            await self._store.swap(SUSPENSIONS, agent, document, None)
        self._suspended.discard(agent)

    def is_suspended(self, agent: str) -> bool:
        """Whether an agent is suspended."""
        return agent in self._suspended

    def may_call(self, agent: str) -> bool:
        """Whether an agent has a live token and is not suspended."""
        wanted = (CredentialKind.AGENT, agent, None)
        known = self._by_fingerprint.values()
        return agent not in self._suspended and any((c.kind, c.name, c.revoked_at) == wanted for c in known)

    def verify(self, kind: CredentialKind, secret: Secret) -> str | None:
        """The name behind a live token of this kind, or None for anything else."""
        token = secret.reveal()
        fingerprint = tokens.fingerprint(token)
        claimed = tokens.parse(token)
        found = self._by_fingerprint.get(fingerprint)
        if found is None or claimed is None or found.revoked_at is not None:
            return None
        if not hmac.compare_digest(found.fingerprint, fingerprint):
            return None
        if not kind == claimed.kind == found.kind or claimed.name != found.name:
            return None
        return found.name


def _document(credential: Credential) -> JsonObject:
    return {**asdict(credential), "kind": credential.kind.value}


def _credential(document: JsonObject) -> Credential:
    loose = cast("dict[str, Any]", document)
    try:
        return Credential(**{**loose, "kind": CredentialKind(loose["kind"])})
    except (KeyError, TypeError, ValueError) as problem:
        raise EnvironmentFault(
            "a stored credential can't be read", advice="Restore the state file from a backup."
        ) from problem
