# SPDX-License-Identifier: Apache-2.0
"""The errors of the gate. The first level says whose fault it is.

    YettError
    ├── CallerError              the agent or its client sent something that can't be served
    │   ├── BadRequest           malformed JSON, wrong shape, over a limit
    │   ├── Unauthenticated      no credential, or one that is not ours
    │   └── UnknownTool          no tool of that name for this caller
    ├── ConfigurationError       the operator's file or machine is wrong; start-up fails
    ├── EnvironmentFault         something this gate needs is missing or broken
    │   ├── SandboxUnavailable   no container engine, no image, engine hung
    │   └── AuditUnavailable     the log can't be written: nothing runs
    ├── ExecutionError           the tool was started and did not end well
    │   ├── ExecutionTimeout
    │   └── OutputTooLarge
    ├── EgressRefused            a request may not leave (its own text says why)
    ├── UpstreamError            an upstream MCP server failed or sent garbage
    └── BrokenRoom               our own fault: a room raised what it must not raise

A denial is not an error: it is a `Decision`. Each error has two texts: `public()` is safe for the
agent, `advice()` tells the operator what to do.
"""

from __future__ import annotations


class YettError(Exception):
    """The root. Never raised itself."""

    rule = "gate.error"

    def __init__(self, message: str, *, advice: str = "") -> None:
        super().__init__(message)
        self._advice = advice

    public_text = ""

    def public(self) -> str:
        """What the agent may read. By default the message."""
        return self.public_text or str(self)

    def advice(self) -> str:
        """What the operator should do about it."""
        return self._advice or str(self)


class CallerError(YettError):
    """The caller's fault."""

    rule = "gate.bad-request"


class BadRequest(CallerError):
    """A message that is malformed, has the wrong shape or is over a limit."""

    rule = "gate.bad-request"


class Unauthenticated(CallerError):
    """No credential, or one that this gate did not issue."""

    rule = "gate.unauthenticated"


class UnknownTool(CallerError):
    """No tool of that name for this caller."""

    rule = "gate.unknown-tool"


class ConfigurationError(YettError):
    """The configuration can't be used.

    `path` is the place in the document (`("rules", 3, "when")`); `config/` turns it into a line.
    """

    rule = "gate.configuration"

    def __init__(self, message: str, *, path: tuple[str | int, ...] = (), advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.path = path


class EnvironmentFault(YettError):
    """Something the gate needs is missing or broken."""

    rule = "gate.environment"
    public_text = "The gate can't run this now; the operator's log says why."


class SandboxUnavailable(EnvironmentFault):
    """No container engine, no image, or the engine does not answer."""

    rule = "gate.sandbox-unavailable"
    public_text = "The sandbox is not available; nothing was run. The operator sees why with `yett doctor`."


class AuditUnavailable(EnvironmentFault):
    """The audit log can't be written, so nothing may run."""

    rule = "gate.audit-unavailable"
    public_text = "The audit log can't be written; nothing was run."


class ExecutionError(YettError):
    """The tool was started and did not end well. The message is safe for the agent."""

    rule = "gate.execution-failed"


class ExecutionTimeout(ExecutionError):
    """The tool did not end in time and everything it started was killed."""

    rule = "gate.timeout"


class OutputTooLarge(ExecutionError):
    """The tool gave more than the limit."""

    rule = "gate.output-too-large"


class EgressRefused(YettError):
    """A request may not leave: not on the list, or its address is not public."""

    rule = "gate.egress-refused"


class UpstreamError(YettError):
    """An upstream MCP server failed, is gone, or sent something that is not MCP."""

    rule = "gate.upstream-failed"


class BrokenRoom(YettError):
    """A room raised what it must not raise. The log has the trace; the caller gets a denial."""

    rule = "gate.internal-error"
