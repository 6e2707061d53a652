# SPDX-License-Identifier: Apache-2.0
"""Who calls (`ports.Identify`): a credential becomes an agent of the configuration in its session.

Whatever is wrong with a credential (none, malformed, unknown, revoked, of a person, of a suspended
agent or of one that the configuration no longer names) has one answer, so that a caller learns
nothing. Nothing that the caller claims (client name, source address) gives it anything. Called by
the pipeline for each request.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from yett.action import Arrival, Principal
from yett.errors import Unauthenticated
from yett.identity.attempts import FailedAttempts, source_of
from yett.identity.credentials import Credentials
from yett.identity.settings import AgentSettings, IdentitySettings
from yett.identity.tokens import CredentialKind
from yett.ports import Clock, Sessions

REFUSAL = "This gate needs the credential of one of its agents."


class TooManyAttempts(Unauthenticated):
    """A wrong credential from a source that gave too many. The text is the same as for the first."""

    rule = "gate.too-many-attempts"


@dataclass(frozen=True, slots=True)
class _Agent:
    name: str
    settings: AgentSettings


class Identity:
    """The agents of one configuration.

    Args:
        settings: the trust domain and the agents.
        credentials: the tokens, loaded.
        sessions: where the agent's session is continued or opened.
        clock: for the window of failed attempts.
    """

    def __init__(
        self, *, settings: IdentitySettings, credentials: Credentials, sessions: Sessions, clock: Clock
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._sessions = sessions
        self._failed = FailedAttempts(clock, settings.attempts)

    def replace_settings(self, settings: IdentitySettings) -> None:
        """Take a new configuration. An agent that it does not name is refused from this moment.

        The limits of failed attempts stay those of the start.
        """
        self._settings = settings

    async def identify(self, arrival: Arrival) -> Principal:
        """The agent behind a credential, in its session.

        Raises:
            Unauthenticated: no credential, an unknown, revoked or suspended one; or an operator has
                stopped the agent's session.
        """
        agent = self._agent(arrival)
        if agent is None:
            if self._failed.add(source_of(arrival)):
                raise TooManyAttempts(REFUSAL, advice="This source gave too many wrong credentials.")
            raise Unauthenticated(REFUSAL, advice="Issue a token with `yett agents add NAME`.")
        session = await self._sessions.continue_or_open(agent.name, agent.settings.user)
        return Principal(
            agent=agent.name,
            id=f"spiffe://{self._settings.trust_domain}/agent/{agent.name}",
            roles=agent.settings.roles,
            attributes=agent.settings.attributes,
            user=agent.settings.user,
            session=session.id,
            lineage=session.lineage,
            labels=session.labels,
            transport=arrival.transport,
            source_ip=arrival.source_ip,
        )

    async def still(self, principal: Principal) -> Principal:
        """The same caller with the roles, attributes and labels of this moment.

        What an agent started may outlive its right to call: a program in the background, a redirect.

        Raises:
            Unauthenticated: its last token was revoked, it was suspended, the configuration does not name
                it any more, or an operator has stopped its session.
        """
        settings = self._settings.agents.get(principal.agent)
        if settings is None or not self._credentials.may_call(principal.agent):
            raise Unauthenticated(REFUSAL, advice="Issue a token with `yett agents add NAME`.")
        session = await self._sessions.continue_or_open(principal.agent, principal.user)
        return replace(
            principal,
            roles=settings.roles,
            attributes=settings.attributes,
            labels=principal.labels | session.labels,
        )

    def _agent(self, arrival: Arrival) -> _Agent | None:
        if arrival.credential is None:
            return None
        name = self._credentials.verify(CredentialKind.AGENT, arrival.credential)
        if name is None or self._credentials.is_suspended(name):
            return None
        settings = self._settings.agents.get(name)
        return None if settings is None else _Agent(name, settings)
