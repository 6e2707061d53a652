# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from yett.egress.address import checked_addresses
from yett.errors import EgressRefused, ExecutionError

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822", "::ffff:93.184.216.34"]
PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fd12::1",
    "::ffff:10.0.0.1",
]
NEVER = [
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "::a9fe:a9fe",
    "0.0.0.0",
    "::",
    "0.1.2.3",
    "224.0.0.1",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "2001:db8::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fec0::1",
    "64:ff9b:1::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached(address):
    assert checked_addresses("a.example", (address,), private=False)


@pytest.mark.parametrize("address", [*PRIVATE, "64:ff9b::7f00:1", "2002:7f00:1::1", "::7f00:1"])
def test_a_private_address_may_not_be_reached_in_any_clothes(address):
    with pytest.raises(EgressRefused):
        checked_addresses("a.example", (address,), private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_may_be_reached_where_the_operator_named_the_host(address):
    assert checked_addresses("a.example", (address,), private=True)


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("private", [False, True])
def test_metadata_reserved_and_group_addresses_are_never_reached(address, private):
    with pytest.raises(EgressRefused):
        checked_addresses("a.example", (address,), private=private)


def test_one_private_answer_among_public_ones_refuses_the_name():
    with pytest.raises(EgressRefused):
        checked_addresses("a.example", ("93.184.216.34", "127.0.0.1"), private=False)


def test_an_answer_that_is_no_address_is_refused():
    with pytest.raises(EgressRefused):
        checked_addresses("a.example", ("localhost",), private=True)


def test_a_name_without_addresses_is_an_error():
    with pytest.raises(ExecutionError):
        checked_addresses("a.example", (), private=True)
