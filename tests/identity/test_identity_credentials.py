# SPDX-License-Identifier: Apache-2.0
"""Tokens are issued once, stored as hashes and revoked at once."""

from __future__ import annotations

import pytest

from yett.action import Secret
from yett.errors import BadRequest, EnvironmentFault
from yett.identity.tokens import CredentialKind

pytestmark = pytest.mark.anyio
AGENT, PERSON = CredentialKind.AGENT, CredentialKind.PERSON


async def test_an_issued_token_is_verified_also_after_a_restart(house):
    token = await house.credentials.issue(AGENT, "research-1")
    assert house.credentials.verify(AGENT, token) == "research-1"
    restarted = house.credentials_with()
    assert restarted.verify(AGENT, token) is None
    await restarted.load()
    assert restarted.verify(AGENT, token) == "research-1"


async def test_the_store_holds_no_token_and_no_random_part_of_one(house):
    token = (await house.credentials.issue(AGENT, "research-1")).reveal()
    kept = str(await house.store.scan("credentials"))
    assert token not in kept
    assert token[-51:-8] not in kept
    assert house.credentials.list()[0].tail == token[-4:]


async def test_several_tokens_of_one_agent_are_valid_side_by_side(house):
    old = await house.credentials.issue(AGENT, "research-1")
    new = await house.credentials.issue(AGENT, "research-1")
    assert {house.credentials.verify(AGENT, t) for t in (old, new)} == {"research-1"}
    assert await house.credentials.revoke(house.credentials.list()[0].id)
    assert house.credentials.verify(AGENT, old) is None
    assert house.credentials.verify(AGENT, new) == "research-1"


async def test_revoking_twice_or_an_unknown_id_says_that_nothing_was_revoked(house):
    await house.credentials.issue(AGENT, "research-1")
    credential = house.credentials.list()[0]
    assert await house.credentials.revoke(credential.id)
    assert not await house.credentials.revoke(credential.id)
    assert not await house.credentials.revoke("crd-none")


async def test_revoking_all_of_an_agent_leaves_the_person_of_that_name(house):
    agent = [await house.credentials.issue(AGENT, "kim") for _ in range(2)]
    person = await house.credentials.issue(PERSON, "kim")
    assert await house.credentials.revoke_all(AGENT, "kim") == 2
    assert [house.credentials.verify(AGENT, t) for t in agent] == [None, None]
    assert house.credentials.verify(PERSON, person) == "kim"


async def test_a_revocation_is_durable_and_holds_even_when_the_disk_fails(house):
    token = await house.credentials.issue(AGENT, "research-1")
    house.store.fail_next = EnvironmentFault("disk full")
    with pytest.raises(EnvironmentFault):
        await house.credentials.revoke_all(AGENT, "research-1")
    assert house.credentials.verify(AGENT, token) is None
    other = await house.credentials.issue(AGENT, "research-1")
    await house.credentials.revoke_all(AGENT, "research-1")
    restarted = house.credentials_with()
    await restarted.load()
    assert restarted.verify(AGENT, other) is None


async def test_a_token_that_could_not_be_stored_is_not_valid(house):
    house.store.fail_next = EnvironmentFault("disk full")
    with pytest.raises(EnvironmentFault):
        await house.credentials.issue(AGENT, "research-1")
    assert house.credentials.list() == ()


async def test_one_live_token_over_the_limit_is_refused_until_one_is_revoked(house):
    credentials = house.credentials_with(live_per_name=2)
    for _ in range(2):
        await credentials.issue(AGENT, "research-1")
    with pytest.raises(BadRequest, match="2 live tokens"):
        await credentials.issue(AGENT, "research-1")
    await credentials.issue(AGENT, "research-2")
    await credentials.revoke(credentials.list()[0].id)
    await credentials.issue(AGENT, "research-1")


@pytest.mark.parametrize("name", ["", "Kim", "a_b", "a/b", "x" * 64])
async def test_a_name_that_does_not_fit_a_token_is_refused(house, name):
    with pytest.raises(BadRequest):
        await house.credentials.issue(AGENT, name)


async def test_a_suspension_survives_a_restart_and_ends_with_resume(house):
    await house.credentials.suspend("research-1")
    restarted = house.credentials_with()
    await restarted.load()
    assert restarted.is_suspended("research-1")
    await restarted.resume("research-1")
    await restarted.load()
    assert not restarted.is_suspended("research-1")
    await restarted.resume("research-1")


async def test_a_token_never_shows_in_its_representation(house):
    token = await house.credentials.issue(AGENT, "research-1")
    assert repr(token) == str(token) == f"{token}" == "***"


async def test_a_stored_credential_that_is_damaged_stops_the_start(house):
    await house.store.put("credentials", "crd-1", {"id": "crd-1", "kind": "god"})
    with pytest.raises(EnvironmentFault):
        await house.credentials_with().load()


async def test_a_made_up_token_of_the_right_form_is_nobody(house):
    token = (await house.credentials.issue(AGENT, "research-1")).reveal()
    other = house.credentials_with()
    assert other.verify(AGENT, Secret(token)) is None
