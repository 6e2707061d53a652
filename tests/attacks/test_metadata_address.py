# SPDX-License-Identifier: Apache-2.0
"""The cloud's metadata service hands out credentials to whoever asks from this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "egress"))
from egress_loopback import AGENT, answering

from yett.egress.outbound import Egress
from yett.egress.settings import EgressRule, EgressSettings
from yett.errors import EgressRefused
from yett.ports import HttpRequest

ADDRESSES = ["169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "::ffff:169.254.169.254"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_name_that_leads_to_metadata_is_refused_even_where_private_is_allowed(address):
    rule = EgressRule(host="inside.acme.test", private=True)
    egress = Egress(EgressSettings(allow=(rule,)), resolve=answering(inside_acme_test=[address]))
    with pytest.raises(EgressRefused, match="private or reserved"):
        anyio.run(
            egress.send, HttpRequest(method="GET", url="http://inside.acme.test/latest/meta-data/"), AGENT
        )


@pytest.mark.parametrize("address", ADDRESSES)
def test_metadata_is_refused_even_where_its_address_is_on_the_list(address):
    host = f"[{address}]" if ":" in address else address
    egress = Egress(EgressSettings(allow=(EgressRule(host=host),)))
    with pytest.raises(EgressRefused, match="private or reserved"):
        anyio.run(egress.send, HttpRequest(method="GET", url=f"http://{host}/latest/meta-data/"), AGENT)
