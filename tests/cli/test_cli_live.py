# SPDX-License-Identifier: Apache-2.0
"""Commands that need a gateway, on one that runs; and how they end when there is none."""

import functools
import json
import shutil
import subprocess
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from running import SHELL_RULE, RunningGateway, approval_of, until
from yett.cli.pool import trouble_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def own():
    with RunningGateway() as gateway:
        yield gateway


@pytest.fixture
def at(yett, own):
    """Runs a command on the gateway of this module."""
    return lambda *words: yett(*words, "--config", own.path)


async def asked(own, path):
    """An approval that waits."""
    async with own.client() as client:
        return approval_of(await own.fetch(client, path, "POST"))


async def test_an_approval_is_listed_shown_and_answered_by_the_beginning_of_its_id(at, own):
    approval = await asked(own, "/cli/yes")
    listed = at("approvals", "list")
    assert listed.code == 0
    row = next(line for line in listed.out.splitlines() if approval in line)
    assert row.split()[:5] == [approval, "pending", "research-1", "http_request", "asked"]
    shown = at("approvals", "show", approval)
    assert "/cli/yes" in shown.out
    assert shown.out.splitlines()[-1] == "State: pending"
    done = at("approvals", "approve", approval[:-2])
    assert (done.code, done.out) == (0, f"{approval} is approved; it runs once when the agent calls again.\n")
    again = at("approvals", "deny", "apr-none")
    assert again.code == 2
    assert "apr-none" in again.err


async def test_a_denial_and_the_list_for_a_program(at, own):
    approval = await asked(own, "/cli/no")
    rows = [json.loads(line) for line in at("approvals", "list", "--json").out.splitlines()]
    assert approval in {row["id"] for row in rows}
    assert json.loads(at("approvals", "show", approval, "--json").out)["state"] == "pending"
    assert at("approvals", "deny", approval, "--reason", "not today").out == f"{approval} is denied.\n"
    everything = [json.loads(line) for line in at("approvals", "list", "--all", "--json").out.splitlines()]
    assert {row["id"]: row["state"] for row in everything}[approval] == "denied"


def test_a_person_who_cannot_prove_it_answers_nothing(at, monkeypatch):
    monkeypatch.delenv("YETT_PERSON_TOKEN", raising=False)
    done = at("approvals", "approve", "apr-none", "--as", "kim")
    assert done.code == 2
    assert done.err


def test_status_names_what_is_served(at, own):
    said = at("status")
    assert said.code == 0
    assert f"on {own.state}" in said.out
    assert "http_request" in said.out
    assert json.loads(at("status", "--json").out)["waits_for_apply"] is False


def test_an_agent_is_added_suspended_resumed_and_revoked(at, own):
    added = json.loads(at("agents", "add", "stranger", "--json").out)
    assert added["agent"] == "stranger"
    assert "token" not in added
    assert Path(added["stored"]).stat().st_mode & 0o777 == 0o600
    assert "Bearer yett_agent_stranger_" in at("agents", "add", "stranger", "--show").out
    assert at("agents", "suspend", "stranger").code == 0
    rows = {row["name"]: row for row in map(json.loads, at("agents", "list", "--json").out.splitlines())}
    assert rows["stranger"]["suspended"] is True
    assert at("agents", "resume", "stranger").code == 0
    assert "revoked" in at("agents", "revoke", "stranger").out
    assert not Path(added["stored"]).exists()
    unknown = at("agents", "add", "nobody")
    assert unknown.code == 2
    assert "nobody" in unknown.err


def test_a_person_is_added_listed_and_revoked(at):
    assert json.loads(at("people", "add", "kim", "--json").out)["token"].startswith("yett_person_kim_")
    assert "finance" in at("people", "list").out
    assert "1 token(s) of kim" in at("people", "revoke", "kim").out


async def test_a_session_is_listed_frozen_and_released(at, own):
    async with own.client() as client:
        await own.fetch(client, "/cli/session")
    rows = [json.loads(line) for line in at("sessions", "list", "--json").out.splitlines()]
    session = next(row["id"] for row in rows if row["agent"] == "research-1")
    assert at("sessions", "freeze", session).out == f"Session {session} is frozen.\n"
    assert at("sessions", "release", session).code == 0
    assert at("sessions", "kill", "nope").code == 2


async def test_the_log_is_told_a_line_a_record_and_holds(at, own):
    async with own.client() as client:
        await own.fetch(client, "/cli/log")
    # The outcome is on the disk a moment after the answer.
    await until(lambda: "outcome" in at("audit", "tail", "-n", "1").out)
    lines = at("audit", "tail", "-n", "2").out.splitlines()
    assert len(lines) == 2
    records = [json.loads(line) for line in at("audit", "tail", "-n", "3", "--json").out.splitlines()]
    numbers = [record["metadata"]["sequence"] for record in records]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    whole = at("audit", "verify")
    assert (whole.code, whole.out.splitlines()[-1].partition(": ")[2]) == (0, "the log is whole.")


async def test_a_copy_that_was_edited_is_exit_1_with_the_place(yett, own, tmp_path):
    async with own.client() as client:
        await own.fetch(client, "/cli/edited")
    copy = tmp_path / "copy"
    shutil.copytree(own.audit, copy)
    segment = min(copy.glob("*.jsonl"))
    segment.write_bytes(segment.read_bytes().replace(b"/cli/edited", b"/cli/edit3d"))
    done = yett("audit", "verify", "--folder", copy)
    assert done.code == 1
    assert done.out.startswith(f"WRONG  {segment.name}:")
    assert done.out.splitlines()[-1].endswith("the log was changed.")
    assert json.loads(yett("audit", "verify", "--folder", copy, "--json").out)["ok"] is False


def test_doctor_says_what_it_saw(at, own):
    findings = [json.loads(line) for line in at("doctor", "--json").out.splitlines()]
    seen = {finding["probe"]: finding for finding in findings}
    assert seen["gateway"]["verdict"] == "ok"
    assert seen["log"]["verdict"] == "ok"
    own.path.chmod(0o620)
    try:
        done = at("doctor")
    finally:
        own.path.chmod(0o600)
    assert done.code != 0


def test_a_second_gateway_on_the_same_state_is_told_so(own):
    # A process of its own: a gateway sets up logging for all of its process.
    done = subprocess.run(own.command("gateway"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 75
    assert f"another gateway holds {own.state}" in done.stderr


def test_without_a_gateway_status_says_so_and_starts_none(yett, written):
    config = written("")
    assert yett("status", "--config", config).code == 1
    assert json.loads(yett("status", "--json", "--config", config).out) == {"running": False}
    assert yett("gateway", "--stop", "--config", config).out == "No gateway runs on this state folder.\n"
    assert not (config.parent / "state").exists()


def test_before_the_first_start_there_is_no_log_to_read(yett, written):
    config = written("")
    for words in (("audit", "tail"), ("audit", "verify")):
        done = yett(*words, "--config", config)
        assert done.code == 3
        assert done.err.startswith("yett: there is no log in ")


def test_a_gateway_that_cannot_start_says_where_the_reason_is(yett, written):
    config = written("agents: { r: { roles: [r] } }\nroles: { r: {} }\n")
    done = yett("approvals", "list", "--config", config)
    assert done.code == 3
    log = config.parent / "state" / "gateway.log"
    assert str(log) in done.err
    assert "Traceback" not in log.read_text()


async def test_a_gateway_that_does_not_start_says_why_in_the_command(yett, written):
    path = written('tools: { shell: { engine: "unix:///nonexistent/engine.sock" } }\nagents: { a: {} }\n')
    done = yett("agents", "list", "--config", path)
    assert done.code == 3
    assert done.err.startswith(
        "yett: the gateway did not start: no container engine answers at unix:///nonexistent/engine.sock"
    )
    assert "Traceback" not in done.err


@pytest.mark.engine
async def test_the_numbers_of_the_containers_are_told_to_the_operator(yett, tiny_image):
    section = {"tools": {"shell": {"image": tiny_image, "warm": 1, "containers": 7}}, "rules": [SHELL_RULE]}
    with RunningGateway(**section) as gateway:
        await until(lambda: gateway.ask("sandboxes")["proven"] and gateway.ask("sandboxes")["warm"] == 1)
        async with gateway.client() as client:
            await client.call_tool("shell_run", {"command": "id"})
        await until(lambda: gateway.ask("sandboxes")["warm"] == 1)
        found = gateway.ask("sandboxes")
        assert found["problem"] == ""
        assert (found["limit"], found["idle"], found["alive"], found["leased"]) == (7, 1, 2, 0)
        assert (found["evicted"], found["refused"], found["breaker"]) == (0, 0, "closed")
        assert found["refill_seconds"] > 0
        words = yett("status", "--config", gateway.path).out
        assert "2 of 7 alive (1 of 1 warm, 0 being made, 0 in a call, 1 idle)" in words
        command = functools.partial(yett, "sandbox", "status", "--json", "--config", gateway.path)
        told = json.loads((await anyio.to_thread.run_sync(command)).out)
        assert told["pool"]["alive"] == 2
        command = functools.partial(yett, "doctor", "--json", "--config", gateway.path)
        looked = await anyio.to_thread.run_sync(command)
        probes = [json.loads(line) for line in looked.out.splitlines()]
        assert {p["probe"]: p["verdict"] for p in probes}["containers"] == "ok"


def test_a_gateway_without_a_sandbox_has_no_numbers(at, own):
    assert own.ask("sandboxes") is None
    assert "Containers of the gateway" not in at("status").out


@pytest.mark.parametrize(
    ("changed", "trouble"),
    [
        ({}, ""),
        ({"problem": "seccomp filter is 0, not 2"}, "serves nobody: seccomp filter is 0, not 2"),
        ({"breaker": "open"}, "the breaker is open: the docker driver did not answer in time"),
    ],
)
def test_what_is_wrong_with_the_containers_is_found(changed, trouble):
    assert trouble_of({"problem": "", "breaker": "closed", "driver": "docker", **changed}) == trouble
