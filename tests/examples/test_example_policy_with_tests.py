# SPDX-License-Identifier: Apache-2.0
import yaml

from e2e.gateway import gateway
from examples.example import configuration, run


def test_the_tests_in_the_policy_pass():
    text, _ = configuration("policy_with_tests")
    with gateway(text) as gate:
        assert "7 passed, 0 failed" in gate.yett("policy", "test")


def test_the_policy_decides_as_its_comments_say():
    text, _ = configuration("policy_with_tests")
    with gateway(text) as gate:
        url = '{"url": "https://releases.example.com/v1", "method": "POST"}'
        assert gate.run("policy", "explain", "--as", "release-1", "http_request", url).returncode == 4
        assert gate.run("policy", "explain", "--as", "research-1", "http_request", url).returncode == 1


def test_every_rule_of_the_policy_is_held_by_a_test():
    text, _ = configuration("policy_with_tests")
    with gateway(text) as gate:
        done = run("policy_with_tests/missing_rules.py", str(gate.config))
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("held ") == len(yaml.safe_load(text)["rules"])


def test_a_rule_that_no_test_would_miss_is_named():
    text, _ = configuration("policy_with_tests")
    policy = yaml.safe_load(text)
    policy["tests"] = [test for test in policy["tests"] if test.get("rule") != "keep-credentials"]
    with gateway(yaml.safe_dump(policy)) as gate:
        done = run("policy_with_tests/missing_rules.py", str(gate.config))
        assert done.returncode == 1
        assert "LOOSE  keep-credentials" in done.stdout


def test_a_policy_whose_own_test_fails_starts_no_gateway():
    text, _ = configuration("policy_with_tests")
    policy = yaml.safe_load(text)
    policy["rules"] = [rule for rule in policy["rules"] if rule["id"] != "publish"]
    with gateway(yaml.safe_dump(policy)) as gate:
        done = gate.run("gateway")
        assert done.returncode == 2
        assert "test" in done.stderr
