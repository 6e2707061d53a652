# SPDX-License-Identifier: Apache-2.0
"""Which rules could go missing without a test noticing? Leaves out each rule in turn and runs the tests.

python missing_rules.py yett.yaml       exit 1 when a rule is held by no test
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

TESTS_FAILED = 1


def tests_fail(configuration: dict) -> bool:
    """Whether `yett policy test` fails on this configuration."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "yett.yaml"
        path.write_text(yaml.safe_dump(configuration), encoding="utf-8")
        command = ["yett", "policy", "test", "--config", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)  # noqa: S603, PLW1510
    if done.returncode not in {0, TESTS_FAILED}:
        sys.exit(f"yett policy test: {done.stderr}")
    return done.returncode == TESTS_FAILED


def main(path: Path) -> int:
    """Say for each rule whether a test holds it."""
    whole = yaml.safe_load(path.read_text(encoding="utf-8"))
    if tests_fail(whole):
        sys.exit("the tests of the whole file fail; see: yett policy test")
    loose = 0
    for rule in whole["rules"]:
        rest = [other for other in whole["rules"] if other is not rule]
        # A test that names the rule it expects can't be read without that rule.
        tests = [{k: v for k, v in test.items() if k != "rule"} for test in whole["tests"]]
        held = tests_fail({**whole, "rules": rest, "tests": tests})
        print(f"{'held ' if held else 'LOOSE'}  {rule['id']}")
        loose += not held
    return 1 if loose else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
