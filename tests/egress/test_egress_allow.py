# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from egress_loopback import AGENT

from yett.egress.allow import AllowList
from yett.egress.settings import EgressRule
from yett.errors import ConfigurationError, EgressRefused
from yett.url import parse_url


def allowed(url, *rules, method="GET"):
    try:
        AllowList(rules).match(parse_url(url), method, AGENT)
    except EgressRefused:
        return False
    return True


def test_an_empty_list_allows_nothing():
    assert not allowed("https://api.github.com/")


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://www.acme.com/", True),
        ("https://acme.com/", False),
        ("https://a.b.acme.com/", False),
        ("https://evilacme.com/", False),
        ("https://www.acme.com.evil.com/", False),
    ],
)
def test_a_star_stands_for_exactly_one_label(url, fits):
    assert allowed(url, EgressRule(host="*.acme.com")) is fits


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://h.example/repos/a", True),
        ("https://h.example/repos/a/b", True),
        ("https://h.example/repos/", True),
        ("https://h.example/repos", False),
        ("https://h.example/reposx", False),
        ("https://h.example/repos/../admin", False),
        ("https://h.example/one/x/two", True),
        ("https://h.example/one/x/y/two", False),
        ("https://h.example/one/x%2Fy/two", False),
        ("https://h.example/dot+", True),
        ("https://h.example/dott", False),
    ],
)
def test_a_path_pattern_matches_what_is_sent_and_what_a_server_reads(url, fits):
    rule = EgressRule(host="h.example", paths=("/repos/**", "/one/*/two", "/dot+"))
    assert allowed(url, rule) is fits


def test_a_rule_of_one_method_allows_no_other():
    rule = EgressRule(host="h.example", methods=frozenset({"GET"}))
    assert allowed("https://h.example/", rule)
    assert not allowed("https://h.example/", rule, method="POST")


def test_a_rule_for_others_allows_this_agent_nothing():
    assert allowed("https://h.example/", EgressRule(host="h.example", to=frozenset({"analyst"})))
    assert allowed("https://h.example/", EgressRule(host="h.example", to=frozenset({"research-1"})))
    assert allowed("https://h.example/", EgressRule(host="h.example", to=frozenset({"*"})))
    assert not allowed("https://h.example/", EgressRule(host="h.example", to=frozenset({"treasurer"})))


def test_only_the_scheme_s_port_is_open_unless_ports_are_named():
    assert not allowed("https://h.example:8443/", EgressRule(host="h.example"))
    assert allowed("https://h.example:8443/", EgressRule(host="h.example", ports=frozenset({8443})))
    assert not allowed("https://h.example/", EgressRule(host="h.example:8443"))


def test_plain_http_needs_a_word_unless_the_host_is_private():
    assert not allowed("http://h.example/", EgressRule(host="h.example"))
    assert allowed("http://h.example/", EgressRule(host="h.example", plain=True))
    assert allowed("http://127.0.0.1:9000/", EgressRule(host="127.0.0.1:9000"))


def test_the_parts_of_two_rules_do_not_add_up():
    get = EgressRule(host="h.example", methods=frozenset({"GET"}))
    post = EgressRule(host="h.example", methods=frozenset({"POST"}), paths=("/in/*",))
    assert allowed("https://h.example/in/x", get, post, method="POST")
    assert not allowed("https://h.example/out", get, post, method="POST")


@pytest.mark.parametrize(
    "rule",
    [
        EgressRule(host=""),
        EgressRule(host="*"),
        EgressRule(host="*.com"),
        EgressRule(host="*.10.0.0.1"),
        EgressRule(host="a b"),
        EgressRule(host="h.example:1", ports=frozenset({2})),
        EgressRule(host="h.example", methods=frozenset({"CONNECT"})),
        EgressRule(host="h.example", paths=("repos/**",)),
    ],
)
def test_a_rule_that_can_not_be_enforced_fails_at_start(rule):
    with pytest.raises(ConfigurationError):
        AllowList([rule])
