# SPDX-License-Identifier: Apache-2.0
"""Everything wrong in a policy file is an error with its place, and never silently off."""

from __future__ import annotations

import datetime as dt

import pytest
from policy_calls import call, policy, rule, source

from yett.action import Effect
from yett.errors import ConfigurationError
from yett.policy.compiler import compile_policy
from yett.policy.settings import PolicySettings
from yett.policy.source import AgentSpec


def fault(*rules, **more) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        policy(*rules, **more)
    return caught.value


def test_a_misspelt_constraint_is_an_error_at_its_place_with_what_was_meant():
    found = fault(
        *[rule("allow", "t", id=f"r{n}") for n in range(3)], rule("allow", "t", {"args.path": {"undr": "/w"}})
    )
    assert found.path == ("rules", 3, "when", "args.path", "undr")
    assert "Did you mean 'under'?" in str(found)
    assert "not_match" in str(found)


@pytest.mark.parametrize(
    ("change", "path", "said"),
    [
        ({"Deny": "t"}, ("Deny",), "Did you mean 'deny'?"),
        ({"ask": "t"}, (), "exactly one of"),
        ({"id": ""}, ("id",), "An id has"),
        ({"id": "gate.mine"}, ("id",), "the gate's own"),
        ({"id": "a b"}, ("id",), "An id has"),
        ({"to": "analist"}, ("to",), "Did you mean 'analyst'?"),
        ({"to": []}, ("to",), "empty list"),
        ({"to": 5}, ("to",), "name or a list of names"),
        ({"allow": "db*x"}, ("allow",), "trailing '*'"),
        ({"allow": "resource:docs__*"}, ("allow",), "later version"),
        ({"allow": []}, ("allow",), "empty list"),
        ({"grant": "t"}, ("grant",), "later version"),
        ({"after": {"tool": "x"}}, ("after",), "later version"),
        ({"ttl": "30m"}, ("ttl",), "later version"),
        ({"approval": {}}, ("approval",), "use 'ask'"),
        ({"why": 5}, ("why",), "sentence"),
        ({"when": "x"}, ("when",), "mapping"),
        ({"when": {"args.x": None}}, ("when", "args.x"), "exists: false"),
        ({"when": {"args.x": {}}}, ("when", "args.x"), "no constraint"),
        ({"when": {"args.x": []}}, ("when", "args.x", "in"), "non-empty"),
        ({"when": {"args.": 1}}, ("when", "args."), "Unknown subject"),
        ({"when": {"args.a..b": 1}}, ("when", "args.a..b"), "no empty part"),
        ({"when": {"args.a*": 1}}, ("when", "args.a*"), "stands alone"),
        ({"when": {"argz.path": 1}}, ("when", "argz.path"), "Unknown subject"),
        ({"when": {"sql.verb": {"any_of": ["x"]}}}, ("when", "sql.verb"), "Did you mean 'sql.verbs'?"),
        ({"when": {"shell.programs": ["ls"]}}, ("when", "shell.programs"), "later version"),
        ({"when": {"total(args.a, 24h)": {"max": 1}}}, ("when", "total(args.a, 24h)"), "later version"),
        ({"when": {"args.*": {"from": ["untrusted"]}}}, ("when", "args.*", "from"), "later version"),
        ({"when": {"args.x": {"json_schema": {}}}}, ("when", "args.x", "json_schema"), "later version"),
        ({"when": {"sql.verbs": ["select"]}}, ("when", "sql.verbs", "in"), "subset_of"),
        ({"when": {"time": "08:00-18:00"}}, ("when", "time", "eq"), "between"),
        ({"when": {"time": {"between": "8-18"}}}, ("when", "time"), "08:00-18:00"),
        ({"when": {"time": {"between": "08:00-08:00"}}}, ("when", "time"), "two different"),
        ({"when": {"time": {"between": "08:00-24:01"}}}, ("when", "time"), "two different"),
        ({"when": {"time": {"days": "mon-fry"}}}, ("when", "time"), "Did you mean 'fri'?"),
        ({"when": {"time": {"tz": "Berlin/Europe"}}}, ("when", "time"), "no time zone"),
        ({"when": {"time": {"tz": "../../etc/passwd"}}}, ("when", "time"), "no time zone"),
        ({"when": {"source.ip": "office"}}, ("when", "source.ip", "eq"), "no address"),
        ({"when": {"source.ip": ["10.0.0.1/8"]}}, ("when", "source.ip", "in"), "host bits"),
        (
            {"when": {"source.ip": ["::ffff:10.0.0.0/104"]}},
            ("when", "source.ip", "in"),
            "IPv4 network itself",
        ),
        ({"when": {"args.x": {"max": "5000"}}}, ("when", "args.x", "max"), "finite number"),
        ({"when": {"args.x": {"max": True}}}, ("when", "args.x", "max"), "finite number"),
        ({"when": {"args.x": {"max": float("inf")}}}, ("when", "args.x", "max"), "finite number"),
        ({"when": {"args.x": {"between": [3, 1]}}}, ("when", "args.x", "between"), "smaller number first"),
        ({"when": {"args.x": {"max_len": -1}}}, ("when", "args.x", "max_len"), "from 0"),
        ({"when": {"args.x": {"exists": "no"}}}, ("when", "args.x", "exists"), "true or false"),
        ({"when": {"args.x": {"under": "workspace"}}}, ("when", "args.x", "under"), "absolute"),
        ({"when": {"args.x": {"under": "/a/../b"}}}, ("when", "args.x", "under"), "absolute"),
        ({"when": {"args.x": {"under": "/a/*"}}}, ("when", "args.x", "under"), "absolute"),
        ({"when": {"args.x": {"match": "a/b"}}}, ("when", "args.x", "match"), "'**/a/b'"),
        ({"when": {"args.x": {"match": "/a**"}}}, ("when", "args.x", "match"), "stand alone"),
        ({"when": {"args.x": {"match": "!a"}}}, ("when", "args.x", "match"), "not part of"),
        ({"when": {"args.x": {"match": "{a,b}"}}}, ("when", "args.x", "match"), "not part of"),
        ({"when": {"args.x": {"host_in": ["*.com"]}}}, ("when", "args.x", "host_in"), "two labels"),
        ({"when": {"args.x": {"host_in": ["a.*.com"]}}}, ("when", "args.x", "host_in"), "no host"),
        ({"when": {"args.x": {"subset_of": ["sales.**"]}}}, ("when", "args.x", "subset_of"), "one '*'"),
        ({"when": {"args.x": {"any_of": []}}}, ("when", "args.x", "any_of"), "non-empty"),
        ({"when": {"http.host": ["not a host"]}}, ("when", "http.host", "in"), "no host name"),
    ],
)
def test_each_fault_has_its_place_and_says_what_is_allowed(change, path, said):
    found = fault({"id": "r", "allow": "t", "to": "reader"} | change)
    assert found.path == ("rules", 0, *path)
    assert said in str(found)


@pytest.mark.parametrize(
    ("approval", "path", "said"),
    [
        ({"approvers": ["kym"]}, ("approvers", 0), "Did you mean 'kim'?"),
        ({"approvers": []}, ("approvers",), "empty list"),
        ({"need": 0}, ("need",), "from 1"),
        ({"need": True}, ("need",), "from 1"),
        ({"expires": "10"}, ("expires",), "10m"),
        ({"expires": "5m10m"}, ("expires",), "10m"),
        ({"expires": -1}, ("expires",), "10m"),
        ({"not_requester": "yes"}, ("not_requester",), "true or false"),
        ({"on_timeout": "deny"}, ("on_timeout",), "later version"),
        ({"aprovers": ["kim"]}, ("aprovers",), "Did you mean 'approvers'?"),
    ],
)
def test_approval_terms_are_checked_word_by_word(approval, path, said):
    found = fault({"id": "r", "ask": "t", "to": "reader", "approval": approval})
    assert found.path == ("rules", 0, "approval", *path)
    assert said in str(found)


def test_a_rule_without_an_id_or_anyone_it_is_for_is_an_error():
    assert "needs 'id'" in str(fault({"allow": "t", "to": "*"}))
    assert "needs 'to'" in str(fault({"id": "r", "allow": "t"}))


def test_duplicate_ids_are_an_error():
    assert fault(rule("allow", "t"), rule("allow", "u")).path == ("rules", 1, "id")


def test_roles_and_agents_are_disjoint_and_known():
    assert fault(agents={"reader": AgentSpec()}).path == ("agents", "reader")
    assert fault(agents={"a": AgentSpec(roles=("redaer",))}).path == ("agents", "a", "roles", 0)
    assert fault(agents={"*": AgentSpec()}).path == ("agents", "*")
    assert fault(roles={"a": ("b",)}, agents={}).path == ("roles", "a", "inherits", 0)


def test_role_cycles_are_an_error():
    assert "inherits from itself" in str(fault(roles={"a": ("b",), "b": ("c",), "c": ("a",)}, agents={}))
    assert "inherits from itself" in str(fault(roles={"a": ("a",)}, agents={}))


def test_values_that_are_not_json_are_an_error():
    assert fault(rule("allow", "t", {"args.x": dt.date(2026, 1, 1)})).path[0] == "rules"


def test_one_rule_more_than_the_limit_is_an_error():
    two = source(rule("allow", "t", id="a"), rule("allow", "t", id="b"))
    compile_policy(two, PolicySettings(max_rules=2))
    with pytest.raises(ConfigurationError, match="this gate takes 1"):
        compile_policy(two, PolicySettings(max_rules=1))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"as": "nobody"}, ("as",)),
        ({"expect": "alow"}, ("expect",)),
        ({"rule": "no-such"}, ("rule",)),
        ({"args": []}, ("args",)),
        ({"at": "2026-01-05"}, ("at",)),
        ({"at": "2026-01-05T12:00:00"}, ("at",)),
        ({"from": "office"}, ("from",)),
        ({"user": "kim"}, ("user",)),
        ({"call": 5}, ("call",)),
    ],
)
def test_the_tests_of_a_file_are_checked_too(change, path):
    written = {"as": "research-1", "call": "t", "expect": "deny"} | change
    assert fault(tests=(written,)).path == ("tests", 0, *path)


def test_expectations_get_the_one_spelling_of_facts():
    post = call("http_request", {"url": "https://api.acme.com/", "method": "post"})
    when = {"http.method": "Post", "http.host": "API.acme.com.", "http.scheme": "HTTPS"}
    assert policy(rule("allow", "http_request", when)).decide(post).effect is Effect.ALLOW
    drop = rule("deny", "sql_query", {"sql.tables": {"any_of": ["Sales.Orders"]}})
    select = call("sql_query", {"sql": "select * from sales.ORDERS"})
    assert policy(rule("allow", "sql_query"), drop).decide(select).rule == "deny"
