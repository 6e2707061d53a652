# SPDX-License-Identifier: Apache-2.0
"""People: names and groups from the configuration, login by token."""

from __future__ import annotations

import pytest

from yett.action import Secret
from yett.identity.people import PeopleRegistry
from yett.identity.settings import PersonSettings
from yett.identity.tokens import CredentialKind

pytestmark = pytest.mark.anyio


@pytest.fixture
def people(house):
    return PeopleRegistry({"kim": PersonSettings(groups=frozenset({"finance"}))}, house.credentials)


async def test_a_login_token_names_its_person(house, people):
    token = await house.credentials.issue(CredentialKind.PERSON, "kim")
    assert await people.authenticate(token) == "kim"


async def test_a_person_who_left_the_configuration_is_nobody(house, people):
    token = await house.credentials.issue(CredentialKind.PERSON, "kim")
    people.replace_settings({})
    assert await people.authenticate(token) is None
    assert people.groups("kim") == frozenset()


async def test_a_wrong_token_is_nobody(people):
    for wrong in ("", "kim", "yett_person_kim_" + "A" * 51):
        assert await people.authenticate(Secret(wrong)) is None


def test_groups_come_from_the_configuration(people):
    assert people.groups("kim") == {"finance"}
    assert people.groups("lee") == frozenset()
