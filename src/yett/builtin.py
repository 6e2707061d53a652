# SPDX-License-Identifier: Apache-2.0
"""Which built-in tools a configuration serves. A tool whose section is absent is absent, never faked.

Called by `app.py` with real rooms, and by commands that only need the definitions with none.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from yett.action import Principal, ToolDefinition
from yett.config.load import Configuration
from yett.config.settings import Shell
from yett.errors import SandboxUnavailable
from yett.joining import shell_limits, sql_tool
from yett.ports import Approve, Gate, HttpRequest, HttpResponse, Outbound, Sandbox, Sandboxes, Tool
from yett.tools.approval_status import DEFINITION as APPROVAL_STATUS
from yett.tools.approval_status import ApprovalStatus
from yett.tools.file_edit import FileEdit
from yett.tools.file_list import FileList
from yett.tools.file_read import FileRead
from yett.tools.file_search import FileSearch
from yett.tools.file_write import FileWrite
from yett.tools.http_request import HttpRequestSettings, HttpRequestTool
from yett.tools.outputs import KeptOutputs
from yett.tools.shell_output import ShellOutput
from yett.tools.shell_programs import ShellKill, ShellWait
from yett.tools.shell_run import ShellRun

SEARCH_TIMEOUT = 30.0
"""Seconds of a search, at most."""


def builtin_tools(
    configuration: Configuration,
    *,
    sandboxes: Sandboxes,
    outbound: Outbound,
    gate: Callable[[], Gate],
    approve: Approve | None = None,
    outputs: KeptOutputs | None = None,
) -> tuple[Tool, ...]:
    """The tools of `tools:`; `approval_status` too when there is someone to approve.

    `outputs` is where long output is kept; its owner ends it with each session.
    """
    wanted = configuration.settings.tools
    tools: list[Tool] = []
    if wanted.shell is not None:
        tools += _sandbox_tools(sandboxes, outputs or KeptOutputs(), wanted.shell)
    if wanted.http is not None:
        limits = HttpRequestSettings(
            timeout=wanted.http.timeout,
            timeout_max=max(wanted.http.timeout, HttpRequestSettings().timeout_max),
            redirects=wanted.http.max_redirects,
            redirects_max=max(wanted.http.max_redirects, HttpRequestSettings().redirects_max),
            response_bytes=wanted.http.max_response,
        )
        tools.append(HttpRequestTool(outbound, gate, limits))
    sql = sql_tool(configuration.settings, configuration.path.parent)
    if sql is not None:
        tools.append(sql)
    if approve is not None:
        tools.append(ApprovalStatus(approve, gate))
    return tuple(tools)


def _sandbox_tools(sandboxes: Sandboxes, outputs: KeptOutputs, shell: Shell) -> list[Tool]:
    """What works in containers. Where each call has its own, nothing can outlive one."""
    limits = shell_limits(shell)
    tools: list[Tool] = [ShellRun(sandboxes, outputs, limits), ShellOutput(outputs, limits)]
    if limits.background_timeout is not None:
        tools += [ShellWait(sandboxes, outputs, limits), ShellKill(sandboxes, outputs, limits)]
    tools += [FileRead(sandboxes), FileWrite(sandboxes), FileEdit(sandboxes), FileList(sandboxes)]
    tools.append(FileSearch(sandboxes, timeout=min(shell.timeout, SEARCH_TIMEOUT)))
    return tools


def listed_tools(configuration: Configuration) -> tuple[ToolDefinition, ...]:
    """The definitions alone; upstream tools are known only to a running gateway."""
    absent = Absent()
    tools = builtin_tools(configuration, sandboxes=absent, outbound=absent, gate=absent.gate)
    return (*(tool.definition for tool in tools), APPROVAL_STATUS)


class Absent:
    """Sandboxes and a way out that are not there: whoever asks is told so."""

    def lease(self, session: str, principal: Principal | None = None) -> AbstractAsyncContextManager[Sandbox]:
        """There is none."""
        raise SandboxUnavailable(
            f"this process serves no sandbox (session {session}, {principal and principal.agent})"
        )

    async def end(self, session: str) -> None:
        """There is nothing to end."""

    async def send(self, request: HttpRequest, principal: Principal) -> HttpResponse:
        """There is no way out."""
        raise SandboxUnavailable(f"this process sends nothing ({request.method} for {principal.agent})")

    def gate(self) -> Gate:
        """There is no gate."""
        raise SandboxUnavailable("this process has no gate")
