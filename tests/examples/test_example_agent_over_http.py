# SPDX-License-Identifier: Apache-2.0
import pytest

from e2e.gateway import gateway
from examples.example import configuration, run

pytestmark = pytest.mark.engine


def test_the_agent_over_http_runs_what_is_allowed_and_reads_its_denial():
    text, url = configuration("agent_over_http")
    with gateway(text) as gate:
        token = gate.token("builder")
        done = run("agent_over_http/agent.py", url, YETT_TOKEN=token)
        assert done.returncode == 0, done.stderr
        tools, written, ran, denied = done.stdout.splitlines()
        assert tools == "tools: approval_status, file_list, file_read, file_write, shell_run"
        assert written.startswith("file_write: ")
        assert ran == r"shell_run: '60871\n42'"
        assert denied.startswith("file_read: denied by keep-credentials. ")
        verdicts = [e["fields"]["effect"] for e in gate.events() if e["event"] == "decision"]
        assert verdicts == ["allow", "allow", "deny"]


def test_the_agent_over_http_gets_nowhere_with_a_revoked_token():
    text, url = configuration("agent_over_http")
    with gateway(text) as gate:
        token = gate.token("builder")
        gate.yett("agents", "revoke", "builder")
        done = run("agent_over_http/agent.py", url, YETT_TOKEN=token)
        assert done.returncode != 0
        assert "tools:" not in done.stdout
        assert [e["event"] for e in gate.events() if e["event"] in {"refusal", "decision"}].count(
            "decision"
        ) == 0
