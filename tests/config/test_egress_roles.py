# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from yett.config.load import parse
from yett.config.secrets import SecretStore
from yett.joining import egress_settings

FILE = """\
version: 1
agents: { research-1: { roles: [analyst] } }
roles:
  reader: {}
  analyst: { inherits: [reader] }
  chief: { inherits: [analyst] }
  stranger: {}
egress: { allow: [{ host: a.example, to: [reader, research-1] }, b.example] }
"""


def test_an_entry_for_a_role_is_for_those_who_inherit_from_it():
    settings = parse(FILE, Path("/somewhere/yett.yaml")).settings
    first, second = egress_settings(settings, SecretStore(Path("/nowhere"), {})).allow
    assert first.to == {"reader", "analyst", "chief", "research-1"}
    assert second.to == frozenset()
