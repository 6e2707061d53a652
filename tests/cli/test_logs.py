# SPDX-License-Identifier: Apache-2.0
"""The gateway's own log never decides over a call."""

import io
import json
import sys

import pytest
import structlog

from gate import World, denial_of
from yett.cli.logs import StderrLogger, log_to_stderr

pytestmark = pytest.mark.anyio


class Full(io.StringIO):
    def write(self, text):
        raise OSError(28, "No space left on device")


@pytest.fixture
def configured(monkeypatch):
    monkeypatch.setattr("logging.raiseExceptions", True)
    log_to_stderr()
    yield
    structlog.reset_defaults()


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [Full(), closed()], ids=["disk full", "terminal closed"])
async def test_a_log_that_can_not_be_written_changes_nothing_for_a_call(configured, monkeypatch, stream):
    monkeypatch.setattr(sys, "stderr", stream)
    world = World()
    world.tray.fault = ZeroDivisionError("inside")
    assert denial_of(await world.call())["rule"] == "gate.internal-error"
    assert world.events() == ["decision", "intent", "outcome"]


def test_a_line_is_one_json_object_and_shows_no_local_variables(configured, capsys):
    secret = "hunter2"  # noqa: F841 - a local variable that a pretty traceback would print
    try:
        raise ZeroDivisionError("inside")
    except ZeroDivisionError:
        structlog.get_logger("yett").exception("a room broke", tool="note")
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "a room broke"
    assert "hunter2" not in line


def test_every_level_writes(capsys):
    for level in ("debug", "info", "warning", "error", "critical", "exception"):
        getattr(StderrLogger(), level)(level)
    assert len(capsys.readouterr().err.splitlines()) == 6
