# SPDX-License-Identifier: Apache-2.0
"""An allowed server answers with a redirect to where the agent may not go."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from http_calls import DecidingGate, call_of, serving

from yett.egress.outbound import Egress
from yett.egress.settings import EgressRule, EgressSettings
from yett.errors import EgressRefused
from yett.tools.http_request import HttpRequestTool


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/secret",
        "//127.0.0.1:{port}/secret",
        "http://0x7f000001:{port}/secret",
        "http://localhost:{port}/secret",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:{port}/secret",
        "http://user@127.0.0.1:{port}/secret",
        "file:///etc/passwd",
        "\\\\127.0.0.1:{port}\\secret",
    ],
)
def test_a_redirect_is_checked_like_a_first_request(location):
    with serving() as allowed, serving() as private:
        allowed.answers["/r"] = (302, [("Location", location.format(port=private.port))], b"")
        gate = DecidingGate()
        egress = Egress(EgressSettings(allow=(EgressRule(host=f"127.0.0.1:{allowed.port}"),)))
        gate.tool = HttpRequestTool(egress, lambda: gate)
        with pytest.raises(EgressRefused):
            anyio.run(gate.tool.run, call_of(gate.tool, {"url": f"http://127.0.0.1:{allowed.port}/r"}))
        assert len(gate.requests) == 1, "the hop passed the gate"
        assert private.seen == []
