# SPDX-License-Identifier: Apache-2.0
"""Law 5: what was configured is looked at from inside; a sandbox that is otherwise serves nobody."""

import pytest

from running import SHELL_RULE, RunningGateway, rule_of, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


def shell(tiny_image, **more):
    return {
        "rules": [SHELL_RULE],
        "tools": {"shell": {"image": tiny_image, "timeout": "10s", **more}},
        "egress": {},
    }


async def test_a_runtime_that_the_engine_does_not_know_serves_nobody_and_the_log_says_why(tiny_image):
    with RunningGateway(**shell(tiny_image, runtime="no-such-runtime")) as gateway:
        async with gateway.client() as client:
            reply = await client.call_tool("shell_run", {"command": "id"})
        assert rule_of(reply) == "gate.sandbox-unavailable"
        assert "uid=" not in text_of(reply)
        assert "no-such-runtime" in gateway.log.read_text()


async def test_a_sandbox_with_every_control_in_place_serves(tiny_image):
    with RunningGateway(**shell(tiny_image)) as gateway:
        async with gateway.client() as client:
            reply = await client.call_tool("shell_run", {"command": "id"})
        assert "uid=60871" in text_of(reply)


async def test_a_control_that_the_engine_did_not_put_in_place_serves_nobody(tiny_image, monkeypatch):
    from yett.app import open_app
    from yett.config.load import load
    from yett.errors import SandboxUnavailable
    from yett.sandbox import hardening

    whole = hardening.container_config

    def without_seccomp(*args, **more):
        body = whole(*args, **more)
        body["HostConfig"]["SecurityOpt"] = ["no-new-privileges:true", "seccomp=unconfined"]
        return body

    monkeypatch.setattr("yett.sandbox.creation.container_config", without_seccomp)
    with RunningGateway(start=False, **shell(tiny_image)) as gateway:
        async with open_app(load(gateway.path)) as app:
            with pytest.raises(SandboxUnavailable, match="seccomp filter is 0, not 2"):
                async with app.sandboxes.serving.lease("ses-1"):
                    pass
