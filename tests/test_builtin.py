# SPDX-License-Identifier: Apache-2.0
"""Which tools a configuration serves, and what ends with a session."""

from pathlib import Path

import pytest

from running import RunningGateway
from yett.app import open_app
from yett.builtin import listed_tools
from yett.config.load import load, parse
from yett.errors import ExecutionError

SHELL = {"shell_run", "shell_output", "shell_wait", "shell_kill"}
FILES = {"file_read", "file_write", "file_edit", "file_list", "file_search"}


def named(tools):
    configuration = parse(f"version: 1\ntools: {tools}\n", Path("/nowhere/yett.yaml"))
    return {tool.name: tool for tool in listed_tools(configuration)}


def test_a_shell_brings_its_tools_and_without_it_there_are_none():
    assert set(named("{shell: {}}")) == SHELL | FILES | {"approval_status"}
    assert set(named("{}")) == {"approval_status"}


def test_where_each_call_has_its_own_container_nothing_runs_in_the_background():
    tools = named("{shell: {lifetime: call}}")
    assert set(tools) == (SHELL - {"shell_wait", "shell_kill"}) | FILES | {"approval_status"}
    assert "background" not in tools["shell_run"].input_schema["properties"]


def test_limits_of_the_file_reach_the_tools():
    tools = named("{shell: {timeout: 20s}}")
    assert tools["shell_run"].timeout == tools["shell_wait"].timeout == tools["file_search"].timeout == 20
    assert named("{shell: {timeout: 90s}}")["file_search"].timeout == 30


@pytest.mark.anyio
async def test_kept_output_ends_with_its_session():
    with RunningGateway(start=False) as gateway:
        async with open_app(load(gateway.path), serving=False) as app:
            session = (await app.sessions.continue_or_open("research-1", None)).id
            name = app.outputs.keep(session, {"stdout": b"x", "stderr": b""})
            assert app.outputs.read(session, name, "stdout") == b"x"
            await app.sessions.end(session)
            with pytest.raises(ExecutionError, match="has no output"):
                app.outputs.read(session, name, "stdout")
