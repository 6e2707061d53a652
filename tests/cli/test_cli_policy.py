# SPDX-License-Identifier: Apache-2.0
import json

import pytest

FILE = """\
agents: { research-1: { roles: [analyst] } }
roles: { analyst: {} }
rules:
  - { id: read, allow: http_request, to: analyst, when: { http.method: GET } }
  - { id: send, ask: http_request, to: analyst, when: { http.method: POST } }
  - { id: never, deny: http_request, to: "*", when: { http.host: evil.example }, why: That place is closed. }
tools: { http: {} }
"""
AS = ("--as", "research-1", "http_request")


def call(method="GET", host="good.example"):
    return json.dumps({"url": f"https://{host}/", "method": method})


@pytest.fixture
def config(written):
    return written(FILE)


@pytest.mark.parametrize(
    ("arguments", "code", "verdict"),
    [
        (call(), 0, "allow by read"),
        (call(host="evil.example"), 1, "deny by never: That place is closed."),
        (call("DELETE"), 1, "deny by gate.no-match"),
        (call("POST"), 4, "ask by send"),
    ],
)
def test_the_exit_code_of_explain_is_the_verdict(yett, config, arguments, code, verdict):
    done = yett("policy", "explain", *AS, arguments, "--config", config)
    assert done.code == code
    assert done.out.splitlines()[-1].startswith(verdict)


def test_explain_shows_every_row_and_the_condition_that_failed(yett, config):
    done = yett("policy", "explain", *AS, call("POST"), "--config", config)
    assert [
        line.split()[-1] for line in done.out.splitlines() if "allow" in line or line.startswith("*")
    ] == [
        "read",
        "send",
    ]
    assert 'false    http.method eq "GET", seen: "POST"' in done.out


def test_explain_says_that_arguments_would_be_refused_before_any_rule(yett, config):
    words = "A call like this is refused before any rule:"
    done = yett("policy", "explain", *AS, '{"method": "GET"}', "--config", config)
    assert f"  {words} The arguments must have `url`.\n" in done.out
    assert words not in yett("policy", "explain", *AS, call(), "--config", config).out


def test_explain_for_a_program_is_one_json_document(yett, config):
    done = yett("policy", "explain", *AS, call("POST"), "--json", "--config", config)
    found = json.loads(done.out)
    assert done.code == 4
    assert found["decision"]["effect"] == "ask"
    assert {row["rule"] for row in found["rows"]} >= {"read", "send", "never"}


def test_explain_shows_text_of_an_agent_without_its_control_characters(yett, config):
    done = yett(
        "policy", "explain", *AS, '{"url": "https://a.example/", "method": "\\u001b[2J"}', "--config", config
    )
    assert "\x1b" not in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--as", "nobody", "http_request"), "names no agent 'nobody'; it names research-1"),
        (("--as", "research-1", "http_requst"), "there is no tool 'http_requst'; there are http_request"),
        (("--as", "research-1", "http_request", "{"), "not JSON"),
        (("--as", "research-1", "http_request", '{"url": "a", "url": "b"}'), "url"),
        (("--as", "research-1", "http_request", "{}", "--at", "noon"), "--at takes an RFC 3339 time"),
    ],
)
def test_a_call_that_cannot_be_explained_is_no_verdict(yett, config, words, said):
    done = yett("policy", "explain", *words, "--config", config)
    assert done.code == 2
    assert said in done.err
    assert not done.out


def with_test(arguments, expect):
    return (
        f"{FILE}tests:\n  - {{ as: research-1, call: http_request, args: {arguments}, expect: {expect} }}\n"
    )


def test_a_test_of_the_file_that_fails_is_named_and_exit_1(yett, written):
    config = written(with_test(call("POST"), "allow"))
    done = yett("policy", "test", "--config", config)
    assert done.code == 1
    assert done.out.splitlines() == [
        "FAILED  test 1: research-1 http_request: wanted allow, got ask by send",
        "0 passed, 1 failed",
    ]
    assert json.loads(yett("policy", "test", "--json", "--config", config).out)["passed"] is False


def test_tests_that_hold_are_exit_0(yett, written):
    done = yett("policy", "test", "--config", written(with_test(call("POST"), "ask")))
    assert (done.code, done.out.splitlines()[-1]) == (0, "1 passed, 0 failed")


def test_a_lint_error_is_exit_1_and_a_row_of_its_own(yett, written):
    config = written(FILE.replace("id: send, ask: http_request", "id: send, ask: http_requst"))
    done = yett("policy", "lint", "--config", config)
    assert done.code == 1
    assert ["error", "unknown-tool", "send"] in [line.split()[:3] for line in done.out.splitlines()]
    rows = [
        json.loads(line) for line in yett("policy", "lint", "--json", "--config", config).out.splitlines()
    ]
    assert ("unknown-tool", "send") in {(row["id"], row["rule"]) for row in rows}
    assert len(rows) == len(done.out.splitlines()) - 1


def test_rules_that_contradict_their_tests_are_not_applied(yett, written):
    config = written(with_test(call(), "deny"))
    done = yett("policy", "apply", "--config", config)
    assert done.code == 2
    assert done.out.splitlines()[-1] == "Not applied."
    assert not (config.parent / "state").exists(), "a gateway was started for it"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rulez: []\n", "yett.yaml, line 4: rulez: there is no key 'rulez' here. Did you mean 'rules'?"),
        ("rules: [{id: x, allow: http_request, to: nobody}]\n", "yett.yaml, line 4: rules.0.to"),
        ("rules: [{id: x, allow: http_request\n", "yett.yaml, line 5"),
        ("alerts: []\n", "this version does not enforce alerts; remove the key"),
    ],
)
def test_a_wrong_file_is_told_with_its_line_and_exit_2(yett, written, text, said):
    done = yett("policy", "lint", "--config", written(text))
    assert done.code == 2
    assert done.err.startswith("yett: ")
    assert said in done.err


def test_no_file_is_told_with_what_to_do(yett, tmp_path):
    done = yett("policy", "lint")
    path = tmp_path / "home" / ".config" / "yett" / "yett.yaml"
    assert (done.code, done.err) == (2, f"yett: there is no {path}\n  run: yett init\n")
