# SPDX-License-Identifier: Apache-2.0
"""A caller tries tokens that are nearly right, of another kind, or no longer good."""

from __future__ import annotations

import pytest

from yett.action import Arrival, Secret, Transport
from yett.errors import Unauthenticated
from yett.identity.agents import REFUSAL, Identity
from yett.identity.credentials import Credentials
from yett.identity.people import PeopleRegistry
from yett.identity.sessions import SessionBook
from yett.identity.settings import AgentSettings, IdentitySettings, PersonSettings, SessionSettings
from yett.identity.tokens import CredentialKind, compose
from yett.testing import FrozenClock, MemoryStore, SeededEntropy

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]


async def nothing_to_tear_down(session):
    pass


@pytest.fixture
def gate():
    clock, store, entropy = FrozenClock(), MemoryStore(), SeededEntropy()
    credentials = Credentials(store, clock, entropy)
    sessions = SessionBook(
        store=store,
        clock=clock,
        entropy=entropy,
        settings=SessionSettings(),
        on_end=nothing_to_tear_down,
    )
    settings = IdentitySettings(
        trust_domain="acme", agents={"kim": AgentSettings(), "research-1": AgentSettings()}
    )
    identity = Identity(settings=settings, credentials=credentials, sessions=sessions, clock=clock)
    return credentials, identity


async def issued(gate, name="research-1", kind=CredentialKind.AGENT):
    return (await gate[0].issue(kind, name)).reveal()


async def enters(gate, token):
    credential = None if token is None else Secret(token)
    return (await gate[1].identify(Arrival(transport=Transport.HTTP, credential=credential))).agent


async def is_refused(gate, token):
    with pytest.raises(Unauthenticated) as caught:
        await enters(gate, token)
    assert caught.value.public() == REFUSAL
    return True


@pytest.mark.parametrize(
    "vary",
    [
        lambda t: t[:-1],
        lambda t: t[1:],
        lambda t: t + "0",
        lambda t: t + "\n",
        lambda t: " " + t,
        lambda t: t + " ",
        lambda t: t.upper(),
        lambda t: t.swapcase(),
        lambda t: t.replace("yett", "Yett", 1),
        lambda t: t.replace("_agent_", "_person_", 1),
        lambda t: t.replace("research-1", "kim", 1),
        lambda t: t.replace("_agent_", "_agent__", 1),
        lambda t: t.replace("_", "\uff3f", 1),
        lambda t: f"Bearer {t}",
        lambda t: t + t,
        lambda t: t.encode().hex(),
        lambda t: t + "\0",
        lambda t: t[:-8] + "00000000",
        lambda t: "",
        lambda t: "\ud800",
        lambda t: "x" * 1_000_000,
        lambda t: None,
    ],
)
async def test_a_token_that_is_not_exactly_right_is_refused_in_the_same_words(gate, vary):
    token = await issued(gate)
    assert await enters(gate, token) == "research-1"
    assert await is_refused(gate, vary(token))


async def test_a_well_formed_token_that_was_never_issued_is_refused(gate):
    await issued(gate)
    assert await is_refused(gate, compose(CredentialKind.AGENT, "research-1", "A" * 43))


async def test_the_random_part_of_one_agent_is_no_good_under_another_s_name(gate):
    token = await issued(gate)
    assert await is_refused(gate, compose(CredentialKind.AGENT, "kim", token[-51:-8]))


async def test_a_person_s_token_does_not_call_tools_and_an_agent_s_does_not_approve(gate):
    agent = await issued(gate, "kim")
    person = await issued(gate, "kim", CredentialKind.PERSON)
    people = PeopleRegistry({"kim": PersonSettings(groups=frozenset({"finance"}))}, gate[0])
    assert await people.authenticate(Secret(agent)) is None
    assert await people.authenticate(Secret(person)) == "kim"
    assert await is_refused(gate, person)
    assert await enters(gate, agent) == "kim"


async def test_a_stored_record_whose_kind_or_name_was_changed_is_no_good_for_its_token(gate):
    credentials, _ = gate
    token = await issued(gate)
    credential = credentials.list()[0]
    document = await credentials._store.get("credentials", credential.id)
    for forged in ({"name": "kim"}, {"kind": "person"}):
        await credentials._store.put("credentials", credential.id, {**document, **forged})
        await credentials.load()
        assert await is_refused(gate, token)


async def test_a_revoked_token_is_refused_at_the_very_next_call(gate):
    token = await issued(gate)
    assert await enters(gate, token) == "research-1"
    await gate[0].revoke_all(CredentialKind.AGENT, "research-1")
    assert await is_refused(gate, token)


async def test_a_token_of_an_agent_that_left_the_configuration_is_refused_at_once(gate):
    token = await issued(gate)
    assert await enters(gate, token) == "research-1"
    gate[1].replace_settings(IdentitySettings(trust_domain="acme", agents={"kim": AgentSettings()}))
    assert await is_refused(gate, token)


async def test_a_token_of_a_suspended_agent_is_refused_in_the_same_words(gate):
    token = await issued(gate)
    await gate[0].suspend("research-1")
    assert await is_refused(gate, token)


async def test_many_wrong_tokens_change_nothing_in_the_words(gate):
    for _ in range(40):
        assert await is_refused(gate, "wrong")
