# SPDX-License-Identifier: Apache-2.0
"""Law 5: what is configured and can't be enforced fails the start; every key of the file has an effect."""

import shutil
import sqlite3
import subprocess
import sys
import types
from typing import Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from running import RULES, RunningGateway
from yett.action import Arrival, Kind, Request, Secret, Transport
from yett.app import open_app
from yett.config import settings as shapes
from yett.config.load import load
from yett.errors import ConfigurationError, EnvironmentFault
from yett.identity.tokens import CredentialKind
from yett.joining import host_and_port, http_settings, stdio_settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def stopped():
    with RunningGateway(start=False) as gateway:
        yield gateway


async def opened(gateway, **sections):
    gateway.write(**sections)
    async with open_app(load(gateway.path)):
        pass


UNENFORCEABLE = {
    "an unknown section": ({"polices": []}, "polices"),
    "an unknown key": ({"tools": {"http": {"time_out": "3s"}}}, "time_out"),
    "a key of a later version": ({"alerts": ["json://127.0.0.1:9/x"]}, "alerts"),
    "log export": ({"audit": {"sinks": []}}, "SIEM"),
    "a budget": ({"egress": {"budgets": {"requests": "60/min"}}}, "budgets"),
    "weaker durability": ({"audit": {"durability": "relaxed"}}, "strict"),
    "a network for the sandbox": ({"tools": {"shell": {"network": "bridge"}}}, "none"),
    "a way out for programs without http_request": ({"tools": {"shell": {"network": "egress"}}}, "http"),
    "a writable database": (
        {"tools": {"sql": {"databases": {"d": {"url": "sqlite:///d", "mode": "rw"}}}}},
        "read-only",
    ),
    "a sandboxed upstream": ({"upstreams": {"u": {"command": ["/bin/true"]}}}, "sandbox"),
    "a secret that is not there": (
        {"egress": {"credentials": {"127.0.0.1": {"value": "${secret:gone}"}}}},
        "no secret 'gone'",
    ),
    "an entity that nothing finds": ({"privacy": {"default": {"outbound": {"PERSON": "block"}}}}, "PERSON"),
    "an unknown entity": ({"privacy": {"default": {"outbound": {"CREDIT_KARD": "mask"}}}}, "CREDIT_KARD"),
    "a rule for a tool that is not there": (
        {"rules": [*RULES, {"id": "typo", "deny": "htp_request", "to": "*"}]},
        "htp_request",
    ),
    "a rule of a later version": ({"rules": [{"id": "g", "grant": "http_request", "to": "writer"}]}, "grant"),
    "a constraint of a later version": (
        {
            "rules": [
                {
                    "id": "g",
                    "allow": "http_request",
                    "to": "writer",
                    "when": {"args.url": {"from": ["trusted"]}},
                }
            ]
        },
        "from",
    ),
    "a role that is not there": ({"rules": [{"id": "g", "allow": "http_request", "to": "wirter"}]}, "wirter"),
    "an approver that is not there": (
        {
            "rules": [
                {"id": "g", "ask": "http_request", "to": "writer", "approval": {"approvers": ["fianance"]}}
            ]
        },
        "fianance",
    ),
    "a test of the file that fails": (
        {
            "tests": [
                {
                    "as": "research-1",
                    "call": "http_request",
                    "args": {"url": "http://x/", "method": "GET"},
                    "expect": "deny",
                }
            ]
        },
        "test 1",
    ),
}


@pytest.mark.parametrize("control", UNENFORCEABLE)
async def test_start_up_fails_for(control, stopped):
    sections, named = UNENFORCEABLE[control]
    with pytest.raises((ConfigurationError, EnvironmentFault)) as caught:
        await opened(stopped, **sections)
    assert named in f"{caught.value} {caught.value.advice()} {caught.value.path}"


async def test_presidio_that_is_not_installed_fails_the_start(stopped, monkeypatch):
    monkeypatch.setitem(sys.modules, "presidio_analyzer.predefined_recognizers", None)
    with pytest.raises(ConfigurationError, match="presidio"):
        await opened(stopped, privacy={"detectors": ["patterns", "presidio"]})


@pytest.mark.parametrize(
    "address", ["0.0.0.0:8787", "192.0.2.1:80", "example.com:80", "[::]:80", "127.0.0.1:0", "x"]
)
def test_an_address_that_would_carry_credentials_over_a_network_is_refused(address):
    with pytest.raises(ConfigurationError):
        host_and_port(address)


async def test_others_who_can_read_a_secret_fail_the_start(stopped):
    secrets = stopped.path.parent / "secrets"
    secrets.mkdir()
    (secrets / "site").write_text("x")
    (secrets / "site").chmod(0o644)
    with pytest.raises(ConfigurationError, match="others can read"):
        await opened(stopped, egress={"credentials": {"127.0.0.1": {"value": "${secret:site}"}}})


async def test_others_who_can_look_into_the_state_fail_the_start(stopped):
    stopped.state.mkdir(mode=0o755)
    with pytest.raises(EnvironmentFault, match="look into"):
        await opened(stopped)


@pytest.mark.engine
def test_a_sandbox_without_an_engine_fails_the_start(stopped):
    """In a mount namespace of its own, where the engine's socket is not there."""
    stopped.write(tools={"shell": {"image": "yett/tiny"}})
    hidden = 'mount --bind /dev/null /var/run/docker.sock && exec "$@"'
    done = subprocess.run(
        [shutil.which("unshare"), "-m", "sh", "-c", hidden, "sh", *stopped.command("gateway")],
        capture_output=True,
        text=True,
        timeout=30,
        env=stopped.environment(),
    )
    assert done.returncode == 3
    assert "container engine" in done.stderr


def test_a_gateway_that_can_not_listen_says_so_and_does_not_run_without(stopped, gate):
    stopped.write(listen={"http": f"127.0.0.1:{gate.port}"})
    code, said = stopped.run_to_end()
    assert code == 3
    assert "can't listen" in said


def sections_of(model, seen):
    """Every section class of the file."""
    if model in seen:
        return seen
    seen.add(model)
    for field in model.model_fields.values():
        stack = [field.annotation]
        while stack:
            kind = stack.pop()
            if (
                isinstance(kind, type)
                and not isinstance(kind, types.GenericAlias)
                and issubclass(kind, BaseModel)
            ):
                sections_of(kind, seen)
            stack.extend(get_args(kind))
    return seen


def one_value_only(field):
    """A key with one legal value: another one is refused, so nobody needs to read it."""
    return get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1


READ_FROM_THE_DOCUMENT = {"Settings.rules", "Settings.tests", "Settings.state", "Upstream.sandbox"}
"""Rules and tests are compiled from the raw document; the state's folder is resolved by `load`, and
`sandbox: true` is refused there."""

EVERYTHING = {
    "agents": {"research-1": {"roles": ["writer"], "attributes": {"team": "a"}, "user": "kim"}},
    "tools": {
        "http": {},
        "sql": {"databases": {"d": {"url": "sqlite:///d.db"}}},
        "shell": {"image": "yett/tiny", "workspace": "/usr"},
    },
    "upstreams": {"u": {"command": ["/bin/false"], "sandbox": False, "env": {"A": "b"}, "cwd": "/usr"}},
    "privacy": {"destinations": {"u": {"outbound": {"CREDIT_CARD": "mask"}}}},
    "rules": [],
}


@pytest.mark.engine
async def test_every_key_of_the_file_is_read_by_something(stopped, monkeypatch):
    sqlite3.connect(stopped.path.parent / "d.db").close()
    stopped.write(
        **EVERYTHING,
        egress={
            "allow": [{"host": "127.0.0.1", "private": True}],
            "credentials": {"127.0.0.1": {"value": "x"}},
        },
    )
    configuration = load(stopped.path)
    read = set()
    plain = BaseModel.__getattribute__

    def recorded(self, name):
        if name in type(self).model_fields:
            read.add(f"{type(self).__name__}.{name}")
        return plain(self, name)

    monkeypatch.setattr(shapes._Section, "__getattribute__", recorded, raising=False)
    async with open_app(configuration) as app:
        http_settings(app.settings), stdio_settings(app.settings)
        host_and_port(app.settings.listen.http)
    there = {
        f"{section.__name__}.{name}"
        for section in sections_of(shapes.Settings, set())
        for name, field in section.model_fields.items()
        if not one_value_only(field)
    }
    assert there - read - READ_FROM_THE_DOCUMENT == set()


async def test_the_time_that_a_question_stands_is_the_one_in_the_file(stopped):
    ask = {"id": "q", "ask": "http_request", "to": "writer"}
    stopped.write(rules=[ask], approvals={"expires": "42s", "hold": "0.1s"})
    async with open_app(load(stopped.path)) as app:
        token = await app.credentials.issue(CredentialKind.AGENT, "research-1")
        arrival = Arrival(transport=Transport.STDIO, credential=Secret(token.reveal()))
        arguments = stopped.fetching("/law5")
        await app.pipeline.pass_(
            Request(kind=Kind.TOOL, name="http_request", arguments=arguments, arrival=arrival)
        )
        (record,) = await app.approvals.all()
    assert record.expires_at - record.created_at == 42
