# SPDX-License-Identifier: Apache-2.0
"""The tiny image of the sandbox tests, and a gateway that serves a shell in it."""

import sys
from pathlib import Path

import pytest

from running import RULES, SHELL_RULE, RunningGateway

sys.path.insert(0, str(Path(__file__).parents[1] / "sandbox"))

from sandbox_world import tiny_image

__all__ = ["shell_gate", "tiny_image"]


@pytest.fixture(scope="session")
def shell_gate(tiny_image):
    """A gateway with `shell_run` and a credential for the edge, whose value is `secret` of the gateway."""
    with RunningGateway(start=False) as gateway:
        gateway.write(
            rules=[*RULES, SHELL_RULE],
            tools={"http": {}, "shell": {"image": tiny_image, "timeout": "20s"}},
            egress={
                **gateway.sections["egress"],
                "credentials": {f"127.0.0.1:{gateway.witness.port}": {"header": "X-Site-Key", "value": "Key ${secret:site}"}},
            },
        )
        gateway.start()
        gateway.issue_all()
        yield gateway
