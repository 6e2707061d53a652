# SPDX-License-Identifier: Apache-2.0
"""A credential becomes an agent of the configuration, in its session."""

from __future__ import annotations

from dataclasses import replace

import pytest

from yett.action import Transport
from yett.errors import Unauthenticated
from yett.identity.agents import REFUSAL, Identity, TooManyAttempts
from yett.identity.settings import AgentSettings, AttemptSettings, IdentitySettings
from yett.identity.tokens import CredentialKind

pytestmark = pytest.mark.anyio


async def token(house, name="research-1", kind=CredentialKind.AGENT):
    return (await house.credentials.issue(kind, name)).reveal()


async def test_a_token_makes_a_principal_with_what_the_configuration_says(house):
    arrival = house.arrival(await token(house), source_ip="10.0.0.7", client="claims-to-be-root")
    principal = await house.identity.identify(arrival)
    assert principal.agent == "research-1"
    assert principal.id == "spiffe://acme/agent/research-1"
    assert principal.roles == {"analyst"}
    assert principal.attributes == {"team": "finance"}
    assert principal.user == "kim"
    assert (principal.transport, principal.source_ip) == (Transport.HTTP, "10.0.0.7")
    assert principal.session == principal.lineage
    assert principal.session.startswith("ses-")


async def test_the_same_agent_over_another_connection_is_in_the_same_session(house):
    one = await house.identity.identify(house.arrival(await token(house)))
    two = await house.identity.identify(house.arrival(await token(house), transport=Transport.STDIO))
    assert one.session == two.session


async def test_labels_of_the_session_are_on_the_principal(house):
    secret = await token(house)
    one = await house.identity.identify(house.arrival(secret))
    await house.sessions.label(one.session, frozenset({"untrusted"}))
    assert (await house.identity.identify(house.arrival(secret))).labels == {"untrusted"}


async def test_two_agents_are_in_two_sessions(house):
    one = await house.identity.identify(house.arrival(await token(house)))
    two = await house.identity.identify(house.arrival(await token(house, "research-2")))
    assert one.session != two.session
    assert two.user is None


async def test_a_suspended_agent_is_refused_until_it_is_resumed(house):
    secret = await token(house)
    await house.credentials.suspend("research-1")
    with pytest.raises(Unauthenticated, match=REFUSAL):
        await house.identity.identify(house.arrival(secret))
    await house.credentials.resume("research-1")
    await house.identity.identify(house.arrival(secret))


async def test_new_settings_take_effect_with_the_next_call(house):
    secret = await token(house)
    house.identity.replace_settings(
        IdentitySettings(
            trust_domain="acme", agents={"research-1": AgentSettings(roles=frozenset({"reader"}))}
        )
    )
    assert (await house.identity.identify(house.arrival(secret))).roles == {"reader"}


async def fails(identity, arrival):
    with pytest.raises(Unauthenticated) as caught:
        await identity.identify(arrival)
    return type(caught.value)


async def test_the_first_attempt_over_the_limit_of_a_source_is_told_apart(house):
    arrival = house.arrival("wrong", source_ip="192.0.2.1")
    kinds = [await fails(house.identity, arrival) for _ in range(21)]
    assert kinds == [Unauthenticated] * 20 + [TooManyAttempts]
    assert await fails(house.identity, house.arrival("wrong", source_ip="192.0.2.2")) is Unauthenticated
    house.clock.advance(60)
    assert await fails(house.identity, arrival) is Unauthenticated


async def test_wrong_credentials_of_a_neighbour_do_not_lock_an_agent_out(house):
    for _ in range(30):
        await fails(house.identity, house.arrival("wrong", source_ip="127.0.0.1"))
    arrival = house.arrival(await token(house), source_ip="127.0.0.1")
    assert (await house.identity.identify(arrival)).agent == "research-1"


async def test_addresses_of_one_ipv6_network_are_one_source(house):
    kinds = [
        await fails(house.identity, house.arrival("wrong", source_ip=f"2001:db8::{n:x}")) for n in range(21)
    ]
    assert kinds[-1] is TooManyAttempts
    assert await fails(house.identity, house.arrival("wrong", source_ip="2001:db8:0:1::1")) is Unauthenticated


async def test_the_table_of_sources_is_bounded(house):
    settings = replace(house.settings, attempts=AttemptSettings(limit=1, sources=3))
    identity = Identity(
        settings=settings, credentials=house.credentials, sessions=house.sessions, clock=house.clock
    )
    for last in range(50):
        await fails(identity, house.arrival("wrong", source_ip=f"192.0.2.{last}"))
    assert len(identity._failed._counts) == 3


async def test_callers_without_an_address_are_counted_by_their_transport(house):
    for source in [None] * 10 + ["not an address"] * 10:
        await fails(house.identity, house.arrival("wrong", source_ip=source))
    assert await fails(house.identity, house.arrival("wrong")) is TooManyAttempts
    other = house.arrival("wrong", transport=Transport.STDIO)
    assert await fails(house.identity, other) is Unauthenticated


async def test_a_caller_known_before_has_the_roles_and_labels_of_now(house):
    one = await house.identity.identify(house.arrival(await token(house)))
    agents = dict(house.identity._settings.agents)
    agents["research-1"] = replace(agents["research-1"], roles=frozenset({"reader"}))
    house.identity.replace_settings(replace(house.identity._settings, agents=agents))
    await house.sessions.label(one.session, frozenset({"untrusted"}))
    now = await house.identity.still(one)
    assert (now.agent, now.session, now.roles, now.labels) == (
        one.agent,
        one.session,
        {"reader"},
        {"untrusted"},
    )


@pytest.mark.parametrize("how", ["suspended", "revoked", "not named"])
async def test_a_caller_known_before_that_may_not_call_now_is_refused(house, how):
    one = await house.identity.identify(house.arrival(await token(house)))
    assert await house.identity.still(one) == one
    if how == "suspended":
        await house.credentials.suspend("research-1")
    elif how == "revoked":
        await house.credentials.revoke_all(CredentialKind.AGENT, "research-1")
    else:
        house.identity.replace_settings(replace(house.identity._settings, agents={}))
    with pytest.raises(Unauthenticated, match=REFUSAL):
        await house.identity.still(one)
