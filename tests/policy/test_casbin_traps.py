# SPDX-License-Identifier: Apache-2.0
"""Each trap that was measured in casbin, and that this engine does not have it."""

from __future__ import annotations

import ast
import logging
import sys
import threading
from pathlib import Path

import casbin
import pytest
from policy_calls import call, closes, opens, policy, rule, source, verdict

import yett.policy
from yett.action import Effect
from yett.policy.compiler import compile_policy
from yett.policy.engine import _Enforcer, _Matcher
from yett.policy.settings import PolicySettings
from yett.policy.source import AgentSpec


def test_what_follows_the_first_star_counts():
    assert not opens({"args.x": {"match": "/data/*/secret"}}, call("t", {"x": "/data/x"}))


def test_a_dot_or_a_colon_in_a_tool_name_is_no_pattern():
    assert verdict([rule("allow", "file.read")], call("fileXread")) is Effect.DENY
    assert verdict([rule("allow", "file_read")], call("file_read\n")) is Effect.DENY


def test_a_query_string_is_not_part_of_a_path():
    ok = {"http.path": "/ok"}
    assert opens(ok, call("http_request", {"url": "https://a.com/ok?cmd=rm"}))
    assert not opens({"args.x": "/ok"}, call("t", {"x": "/ok?cmd=rm"}))


def test_a_value_is_never_matched_by_its_beginning():
    assert not opens({"args.x": "DELETE"}, call("t", {"x": "DELETE_ALL"}))
    assert not opens({"args.x": {"any_of": ["a*"]}}, call("t", {"x": "ba"}))
    assert not opens({"args.x": {"any_of": ["*a"]}}, call("t", {"x": "a\n"}))


def test_globs_see_dotfiles():
    assert closes({"args.x": {"match": "/home/**"}}, call("t", {"x": "/home/u/.ssh/id_rsa"}))


def test_mapped_addresses_are_in_their_network_and_garbage_does_not_raise():
    assert closes({"source.ip": ["10.0.0.0/8"]}, call("t", ip="::ffff:10.0.0.0"))
    assert not opens({"source.ip": ["10.0.0.0/8"]}, call("t", ip="unknown"))


def test_an_effect_in_capitals_is_refused_and_not_ignored():
    from yett.errors import ConfigurationError

    with pytest.raises(ConfigurationError):
        policy({"id": "x", "Deny": "t", "to": "*"})


def test_an_unknown_subject_is_denied_where_there_are_only_denials():
    assert verdict([rule("deny", "u")], call("t", agent="mallory")) is Effect.DENY
    assert verdict([rule("deny", "u")], call("t")) is Effect.DENY


@pytest.mark.parametrize("text", ["r.example.com", "a!b&&c", "p.sub || true", "False) or (True", "r2.sub"])
def test_texts_that_casbin_would_rewrite_are_compared_as_they_are(text):
    assert opens({"args.x": text}, call("t", {"x": text}))
    assert not opens({"args.x": text}, call("t", {"x": text.replace(".", "_")})) or "." not in text


def test_a_condition_concerns_its_own_subject_only():
    rules = [rule("allow", "t", {"args.x": {"exists": False}}, to="analyst")]
    assert verdict(rules, call("t")) is Effect.ALLOW
    assert verdict(rules, call("t", agent="stranger")) is Effect.DENY


def test_an_error_in_one_row_leaves_the_others_alone(monkeypatch):
    from yett.policy.constraints.numbers import MaxLength

    def fail(*_: object) -> None:
        raise KeyError("boom")

    monkeypatch.setattr(MaxLength, "check", fail)
    rules = [rule("allow", "t", {"args.x": {"max_len": 1}}, id="broken"), rule("allow", "t")]
    assert policy(*rules).decide(call("t", {"x": "a"})).rule == "allow"


def test_arguments_are_values_and_nothing_of_them_is_called():
    class Dangerous(dict):  # type: ignore[type-arg]
        def delete(self) -> bool:
            raise AssertionError

    assert not opens({"args.delete": True}, call("t", Dangerous()))


def test_an_argument_of_200_kilobytes_is_decided_on():
    assert opens({"args.x": {"max_len": 300_000}}, call("t", {"x": "A" * 200_000}))


def test_a_wildcard_denial_holds_beside_an_exact_allow():
    assert verdict([rule("allow", "t"), rule("deny", "*")], call("t")) is Effect.DENY


@pytest.mark.parametrize("depth", [9, 10, 11, 12, 200])
def test_roles_are_inherited_however_long_the_chain(depth):
    roles = {f"r{n}": (f"r{n + 1}",) for n in range(depth)} | {f"r{depth}": ()}
    agents = {"a": AgentSpec(roles=("r0",))}
    far = rule("deny", "t", to=f"r{depth}")
    assert policy(rule("allow", "t", to=f"r{depth}"), roles=roles, agents=agents).decide(
        call("t", agent="a")
    ).effect is (Effect.ALLOW)
    assert (
        policy(rule("allow", "t"), far, roles=roles, agents=agents).decide(call("t", agent="a")).rule
        == "deny"
    )


def test_order_in_the_file_never_lets_an_allow_beat_a_denial():
    for rules in ([rule("allow", "t"), rule("deny", "t")], [rule("deny", "t"), rule("allow", "t")]):
        assert verdict(rules, call("t")) is Effect.DENY


def test_ids_with_commas_and_quotes_in_values_stay_whole():
    assert opens({"args.x": 'a,"b",c'}, call("t", {"x": 'a,"b",c'}))


def test_threads_do_not_see_each_others_calls():
    rules = policy(
        rule("allow", "t", {"args.x": {"under": "/w"}}),
        rule("ask", "t", {"args.y": True}),
        rule("escalate", "t", {"args.z": True}),
    )
    cases = [
        (call("t", {"x": "/w/a", "y": False, "z": False}), Effect.ALLOW),
        (call("t", {"x": "/etc", "y": False, "z": False}), Effect.DENY),
        (call("t", {"x": "/w/a", "y": True, "z": False}), Effect.ASK),
        (call("t", {"x": "/w/a", "y": False, "z": True}), Effect.ASK),
    ]
    wrong: list[object] = []

    def work(number: int) -> None:
        for step in range(400):
            action, expected = cases[(number + step) % 4]
            found = rules.decide(action).effect
            if found is not expected:
                wrong.append((action.arguments, found))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not wrong


def test_nothing_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    rules = policy(rule("allow", "t"), rule("deny", "t", {"args.x": "secret"}))
    rules.decide(call("t", {"x": "secret"}))
    rules.decide(call("t", {"x": "other"}))
    assert not caplog.records


def test_enforcers_over_the_limit_are_built_anew_and_decide_the_same():
    small = compile_policy(source(rule("allow", "*")), PolicySettings(max_shards=2))
    for _ in range(2):
        for name in ("a", "b", "c", "d"):
            assert small.decide(call(name)).effect is Effect.ALLOW
    assert len(small._shards) <= 2
    assert len(small._named) <= 2


@pytest.mark.parametrize("suffix", ["", "2", "3"])
@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("held", [True, False])
def test_the_plain_matcher_says_what_casbins_own_evaluator_says(suffix, linked, held):
    functions = {"g": lambda *_: linked, "holds": lambda *_: held}
    names = (f"r{suffix}_sub", f"p{suffix}_sub", f"r{suffix}_call", f"p{suffix}_row")
    values = dict.fromkeys(names, "x")
    ours = _Matcher(suffix, functions).eval(values)
    theirs = casbin.Enforcer._get_expression(_Matcher.text(suffix), functions).eval(values)
    assert ours is theirs is (linked and held)


def test_a_matcher_that_is_not_ours_is_refused():
    with pytest.raises(ValueError, match="not one of our matchers"):
        _Enforcer._get_expression(None, "True", {})


def test_casbin_is_imported_in_one_file_and_none_of_its_matching_functions_is_used():
    room = Path(next(iter(yett.policy.__path__)))
    for file in room.rglob("*.py"):
        tree = ast.parse(file.read_text())
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            )
        }
        assert ("casbin" in imported) == (file.name == "engine.py")
        called = {
            node.func.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert "eval" not in called
        assert not imported & {"time", "random", "os", "socket", "subprocess", "secrets", "structlog"}
