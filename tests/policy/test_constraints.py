# SPDX-License-Identifier: Apache-2.0
"""Each constraint: what satisfies it, what does not, and what it can't read."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_calls import call, closes, opens, rule, source

from yett.action import Effect, JsonValue
from yett.policy.compiler import compile_policy
from yett.policy.settings import PolicySettings

UTC_DAY = 1767571200.0  # Monday 2026-01-05 00:00 UTC


def yes(constraint: JsonValue, value: JsonValue) -> bool:
    """Satisfied: an allow opens and a deny closes."""
    action = call("t", {"x": value})
    return opens({"args.x": constraint}, action) and closes({"args.x": constraint}, action)


def no(constraint: JsonValue, value: JsonValue) -> bool:
    """Certainly not satisfied: an allow does not open and a deny does not close."""
    action = call("t", {"x": value})
    return not opens({"args.x": constraint}, action) and not closes({"args.x": constraint}, action)


def unknown(constraint: JsonValue, value: JsonValue) -> bool:
    """Not known: an allow does not open and a deny closes."""
    action = call("t", {"x": value})
    return not opens({"args.x": constraint}, action) and closes({"args.x": constraint}, action)


def test_a_scalar_means_eq_and_a_list_means_in():
    assert yes("a", "a")
    assert no("a", "A")
    assert yes(["a", "b"], "b")
    assert no(["a", "b"], "c")


def test_json_types_never_mix():
    assert unknown(1, True)
    assert unknown(True, 1)
    assert unknown(5, "5")
    assert unknown("x", None)
    assert yes(1, 1.0)
    assert yes({"in": [5, "a"]}, "a")


def test_not_in_of_another_type_is_unknown():
    assert yes({"not_in": ["a"]}, "b")
    assert no({"not_in": ["a"]}, "a")
    assert unknown({"not_in": ["a"]}, ["a"])


def test_networks_hold_addresses_in_every_spelling():
    for text in ("10.1.2.3", "::ffff:10.1.2.3", "0x0a010203", "167838211", "012.1.2.3"):
        assert yes({"in": ["10.0.0.0/8"]}, text), text
    assert no({"in": ["10.0.0.0/8"]}, "11.0.0.1")
    assert unknown({"in": ["10.0.0.0/8"]}, "unknown")


def test_the_source_address_is_compared_as_an_address():
    office = {"source.ip": ["10.0.0.0/8"]}
    assert opens(office, call("t", ip="::ffff:10.0.0.1"))
    assert not opens(office, call("t", ip="11.0.0.1"))
    assert not opens(office, call("t"))
    assert closes(office, call("t"))


@pytest.mark.parametrize(
    "path", ["/workspace", "/workspace/", "/workspace/a/../b", "//workspace//a", "/x/../workspace/a"]
)
def test_paths_under_a_root(path):
    assert yes({"under": "/workspace"}, path)


@pytest.mark.parametrize("path", ["/workspace/../etc/passwd", "/workspace2", "/", "/../etc", "/workspace/.."])
def test_a_path_with_dot_dot_is_not_under_its_root(path):
    assert no({"under": "/workspace"}, path)


@pytest.mark.parametrize(
    "path", ["workspace/a", "", "~/a", "/workspace/a\0", "/workspace/e\u0301", "/w\ud800", 7]
)
def test_a_path_that_can_be_read_in_two_ways_is_unknown(path):
    assert unknown({"under": "/workspace"}, path)


def test_a_path_over_the_limit_is_unknown():
    assert yes({"under": "/w"}, "/w/" + "a" * 4093)
    assert unknown({"under": "/w"}, "/w/" + "a" * 4094)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("**/.env", "/home/u/.env"),
        ("**/.env", "/.env"),
        (".env", "/home/u/.env"),
        ("*.pem", "/home/u/.ssh/.a.pem"),
        ("/home/**", "/home/u/.ssh/id_rsa"),
        ("**/.ssh/**", "/home/.ssh"),
        ("/a/*/c", "/a/b/c"),
        ("/a/**/c", "/a/c"),
        ("/a/**/c", "/a/x/y/c"),
        ("/a/?[0-9]", "/a/x1"),
        ("/secret/", "/secret/a/b"),
        ("**/.env", "/home/../home/u/.env"),
    ],
)
def test_globs_match_as_in_gitignore_dotfiles_included(pattern, path):
    assert yes({"match": pattern}, path)
    assert no({"not_match": [pattern]}, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("/a/*", "/a/b/../../x"), ("/data/*/secret", "/data/x"), ("/a/b", "/a/B"), ("*.py", "/a/b.pyc")],
)
def test_globs_that_do_not_match(pattern, path):
    assert no({"match": pattern}, path)
    assert yes({"not_match": [pattern]}, path)


def test_a_pattern_takes_all_below_where_it_takes_away_and_not_where_it_opens():
    inside = call("t", {"x": "/home/.ssh/id_rsa"})
    assert not opens({"args.x": {"not_match": [".ssh"]}}, inside)
    assert closes({"args.x": {"match": ".ssh"}}, inside)
    assert not opens({"args.x": {"match": "*.py"}}, call("t", {"x": "/a.py/secret"}))


def test_globs_with_many_stars_are_fast_enough_to_finish():
    assert no({"match": "/" + "*a" * 30 + "b"}, "/" + "a" * 4000)
    assert no({"any_of": ["*a" * 30 + "b"]}, "a" * 20_000)


def test_hosts_are_exact_or_one_more_label():
    names = {"host_in": ["acme.com", "*.acme.com"]}
    for host in ("acme.com", "API.acme.com", "api.acme.com.", "https://api.acme.com:8443/x"):
        assert yes(names, host), host
    for host in ("a.b.acme.com", "evilacme.com", "acme.com.evil.com", "10.0.0.1"):
        assert no(names, host), host
    for host in ("user@acme.com", "https://acme.com@evil.com/", "acme.com evil.com", "", "a..com", 5):
        assert unknown(names, host), host


def test_international_names_have_one_spelling():
    assert yes({"host_in": ["bücher.example"]}, "xn--bcher-kva.example")
    assert yes({"host_in": ["xn--bcher-kva.example"]}, "BÜCHER.example")
    assert no({"host_in": ["acme.com"]}, "\u0430cme.com")  # a Cyrillic letter


def test_mail_domains_are_read_from_plain_addresses_only():
    domain = {"domain_in": ["acme.com"]}
    assert yes(domain, "kim@acme.com")
    assert yes(domain, ["kim@acme.com", "lee@ACME.com"])
    assert no(domain, "kim@evil.com")
    assert no(domain, "kim@sub.acme.com")
    for text in (
        "kim@evil.com,lee@acme.com",
        "kim@evil.com@acme.com",
        '"a@evil.com"@acme.com',
        "<k@acme.com>",
    ):
        assert unknown(domain, text), text


def test_a_list_is_tested_item_by_item():
    domain = {"args.to": {"domain_in": ["acme.com"]}}
    mixed = call("mail__send", {"to": ["a@acme.com", "b@evil.com"]})
    assert not opens(domain, mixed)
    assert closes(domain, mixed)


def test_number_ranges_include_their_ends():
    assert yes({"max": 5000}, 5000)
    assert no({"max": 5000}, 5001)
    assert no({"max": 5000}, 5000.0001)
    assert yes({"min": 1}, 1)
    assert no({"min": 1}, 0)
    assert yes({"between": [1, 3]}, 2)
    assert no({"between": [1, 3]}, 4)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, True, "5", None, {}])
def test_what_is_no_finite_number_never_satisfies_a_range(value):
    assert unknown({"max": 5000}, value)
    assert unknown({"min": -5}, value)


def test_lengths():
    assert yes({"max_len": 3}, "abc")
    assert no({"max_len": 3}, "abcd")
    assert no({"max_len": 1}, [1, 2])
    assert unknown({"max_len": 3}, 5)


def test_sets():
    assert yes({"subset_of": ["ls", "cat"]}, ["ls"])
    assert no({"subset_of": ["ls", "cat"]}, ["ls", "rm"])
    assert yes({"any_of": ["rm"]}, ["ls", "rm"])
    assert yes({"subset_of": ["sales.*"]}, ["sales.orders", "sales.x"])
    assert no({"subset_of": ["sales.*"]}, ["sales.orders.x"])
    assert no({"subset_of": ["sales.*"]}, ["salesXorders"])
    assert unknown({"subset_of": ["a"]}, [5])
    assert unknown({"any_of": ["a"]}, [{}])


def test_existence_is_the_only_constraint_that_reads_absence():
    assert opens({"args.x": {"exists": False}}, call("t"))
    assert not opens({"args.x": {"exists": False}}, call("t", {"x": None}))
    assert opens({"args.x": {"exists": True}}, call("t", {"x": None}))
    assert not opens({"sql.verbs": {"exists": False}}, call("sql_query", {"sql": "((("}))


@pytest.mark.parametrize(
    ("hours", "minute", "inside"),
    [
        ("08:00-18:00", 8 * 60, True),
        ("08:00-18:00", 7 * 60 + 59, False),
        ("08:00-18:00", 18 * 60, False),
        ("22:00-06:00", 23 * 60, True),
        ("22:00-06:00", 60, True),
        ("22:00-06:00", 12 * 60, False),
        ("00:00-24:00", 0, True),
    ],
)
def test_windows_of_the_day(hours, minute, inside):
    assert opens({"time": {"between": hours}}, call("t", at=UTC_DAY + minute * 60)) is inside


def test_a_window_belongs_to_the_day_on_which_it_begins():
    friday_night = {"time": {"between": "22:00-06:00", "days": "fri"}}
    assert opens(friday_night, call("t", at=UTC_DAY + 5 * 86400 + 3600))  # Saturday 01:00
    assert not opens(friday_night, call("t", at=UTC_DAY + 4 * 86400 + 3600))  # Friday 01:00


def test_the_wall_clock_is_that_of_the_zone():
    berlin = {"time": {"between": "08:00-18:00", "days": "mon-fri", "tz": "Europe/Berlin"}}
    assert opens(berlin, call("t", at=UTC_DAY + 7 * 3600))  # winter: 08:00 in Berlin
    assert not opens(berlin, call("t", at=UTC_DAY + 17 * 3600))
    assert opens(berlin, call("t", at=1783317600.0))  # 2026-07-06 06:00 UTC, 08:00 in Berlin


@pytest.mark.parametrize("at", [math.nan, math.inf, 1e300])
def test_a_time_that_is_none_is_unknown(at):
    assert not opens({"time": {"between": "00:00-24:00"}}, call("t", at=at))
    assert closes({"time": {"between": "00:00-24:00"}}, call("t", at=at))


def test_agent_attributes_come_from_the_file():
    assert opens({"agent.team": "finance"}, call("t"))
    assert not opens({"agent.team": "finance"}, call("t", agent="stranger"))


def test_paths_into_arguments():
    arguments = {"order": {"items": [{"sku": "a"}, {"sku": "b"}]}}
    assert opens({"args.order.items.*.sku": ["a", "b"]}, call("t", arguments))
    assert not opens({"args.order.items.*.sku": ["a"]}, call("t", arguments))
    assert closes({"args.order.items.*.sku": ["b"]}, call("t", arguments))
    assert not opens(
        {"args.order.items.*.sku": ["a", "b"]}, call("t", {"order": {"items": [{"sku": "a"}, {}]}})
    )
    assert not opens({"args.order.sku": "a"}, call("t", {"order.sku": "a"}))


def test_more_values_than_the_limit_are_unknown():
    assert not opens({"args.*": {"max_len": 3}}, call("t", {"x": ["a"] * 10_000}))
    assert closes({"args.*": {"any_of": ["z"]}}, call("t", {"x": ["a"] * 10_000}))


def test_the_first_value_over_the_limit_of_values_makes_a_call_unknown():
    written = source(rule("allow", "t", {"args.*": {"max_len": 3}}))
    four = compile_policy(written, PolicySettings(max_leaves=4))  # the arguments, the list and two items
    assert four.decide(call("t", {"x": ["a", "b"]})).effect is Effect.ALLOW
    assert four.decide(call("t", {"x": ["a", "b", "c"]})).effect is Effect.DENY
    items = source(rule("allow", "t", {"args.x.*.y": 1}))
    two = compile_policy(items, PolicySettings(max_leaves=2))
    assert two.decide(call("t", {"x": [{"y": 1}] * 2})).effect is Effect.ALLOW
    assert two.decide(call("t", {"x": [{"y": 1}] * 3})).effect is Effect.DENY


PARTS = st.lists(st.sampled_from(["a", "..", ".", "", "workspace", ".env"]), max_size=8)


@given(PARTS)
def test_what_is_under_a_root_normalises_to_below_it(parts):
    import posixpath

    path = "/" + "/".join(parts)
    real = posixpath.normpath("/" + path.lstrip("/"))
    inside = real == "/workspace" or real.startswith("/workspace/")
    assert yes({"under": "/workspace"}, path) is inside


def test_lists_and_objects_are_equal_item_by_item():
    assert yes({"eq": [1, {"a": "b"}]}, [1.0, {"a": "b"}])
    assert no({"eq": [1]}, [1, 2])
    assert no({"eq": {"a": 1}}, {"b": 1})
    assert unknown({"eq": [1, True]}, [1, 1])


def test_the_user_the_task_and_the_transport_are_those_of_the_call():
    assert opens({"user": ["kim"]}, call("t", user="kim"))
    assert not opens({"user": ["kim"]}, call("t", user="lee"))
    assert not opens({"user": {"not_in": ["kim"]}}, call("t"))
    assert closes({"task": "x"}, call("t"))
    assert opens({"transport": "http"}, call("t"))
    assert not opens({"transport": "stdio"}, call("t"))


def test_values_below_something_that_has_no_items_are_unknown():
    for value in (5, "ab", None):
        assert not opens({"args.x.*.y": 1}, call("t", {"x": value}))
        assert closes({"args.x.*.y": 1}, call("t", {"x": value}))
    assert not opens({"args.x.*.y": 1}, call("t", {"x": []}))
    assert opens({"args.x.*.y": 1}, call("t", {"x": {"k": {"y": 1}}}))
