# SPDX-License-Identifier: Apache-2.0
"""One asyncio backend, and the identity room with its neighbours in memory."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from yett.action import Arrival, Secret, Transport
from yett.identity.agents import Identity
from yett.identity.credentials import Credentials
from yett.identity.sessions import SessionBook
from yett.identity.settings import AgentSettings, CredentialSettings, IdentitySettings, SessionSettings
from yett.testing import FrozenClock, MemoryStore, SeededEntropy


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def house():
    """The room's parts on one store and clock; `house.sessions_with(**settings)` makes another book."""
    house = SimpleNamespace(clock=FrozenClock(), store=MemoryStore(), entropy=SeededEntropy(), ended=[])

    async def on_end(session):
        house.ended.append(session)

    def sessions_with(on_end=on_end, **settings):
        return SessionBook(
            store=house.store,
            clock=house.clock,
            entropy=house.entropy,
            settings=SessionSettings(**settings),
            on_end=on_end,
        )

    def credentials_with(**settings):
        return Credentials(house.store, house.clock, house.entropy, CredentialSettings(**settings))

    def arrival(token, **more):
        secret = None if token is None else Secret(token)
        return Arrival(**{"transport": Transport.HTTP, "credential": secret, **more})

    house.arrival = arrival
    house.sessions_with = sessions_with
    house.credentials_with = credentials_with
    house.sessions = sessions_with()
    house.credentials = credentials_with()
    house.settings = IdentitySettings(
        trust_domain="acme",
        agents={
            "research-1": AgentSettings(
                roles=frozenset({"analyst"}), attributes={"team": "finance"}, user="kim"
            ),
            "research-2": AgentSettings(),
        },
    )
    house.identity = Identity(
        settings=house.settings, credentials=house.credentials, sessions=house.sessions, clock=house.clock
    )
    return house
