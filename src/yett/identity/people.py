# SPDX-License-Identifier: Apache-2.0
"""Who may approve (`ports.People`): names and groups from the configuration, login by token.

A person whom the configuration no longer names is nobody, whatever token they hold. An agent's
token is never a person's. Called by the console and the command line before a vote.
"""

from __future__ import annotations

from collections.abc import Mapping

from yett.action import Secret
from yett.identity.credentials import Credentials
from yett.identity.settings import PersonSettings
from yett.identity.tokens import CredentialKind


class PeopleRegistry:
    """The people of one configuration.

    Args:
        people: settings by name.
        credentials: the tokens, loaded.
    """

    def __init__(self, people: Mapping[str, PersonSettings], credentials: Credentials) -> None:
        self._people = people
        self._credentials = credentials

    def replace_settings(self, people: Mapping[str, PersonSettings]) -> None:
        """Take a new configuration, at once."""
        self._people = people

    async def authenticate(self, credential: Secret) -> str | None:
        """The person's name behind a login token, or None."""
        name = self._credentials.verify(CredentialKind.PERSON, credential)
        return name if name in self._people else None

    def groups(self, person: str) -> frozenset[str]:
        """The person's groups; empty for an unknown person."""
        found = self._people.get(person)
        return frozenset() if found is None else found.groups
