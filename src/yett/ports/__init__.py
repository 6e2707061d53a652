# SPDX-License-Identifier: Apache-2.0
"""The doors between the rooms: one Protocol each, and the small values that pass through them.

Rooms implement these and ask for these; they never import each other. `app.py` joins them. A port
says what its implementation promises, above all what is durable and what is atomic.
"""

from yett.action import OnOutput
from yett.ports.outside import (
    Clock,
    Entropy,
    HttpRequest,
    HttpResponse,
    Notify,
    Outbound,
    People,
    Secrets,
    Store,
)
from yett.ports.sandbox import (
    BackgroundProgram,
    Command,
    CommandResult,
    FileEntry,
    Forward,
    Sandbox,
    Sandboxes,
)
from yett.ports.steps import (
    Approve,
    Audit,
    Catalog,
    Decide,
    Dialogue,
    Execute,
    Gate,
    Grants,
    Identify,
    Redact,
    Session,
    Sessions,
    Tool,
    ToolSource,
    Vault,
)

__all__ = [
    "Approve",
    "Audit",
    "BackgroundProgram",
    "Catalog",
    "Clock",
    "Command",
    "CommandResult",
    "Decide",
    "Dialogue",
    "Entropy",
    "Execute",
    "FileEntry",
    "Forward",
    "Gate",
    "Grants",
    "HttpRequest",
    "HttpResponse",
    "Identify",
    "Notify",
    "OnOutput",
    "Outbound",
    "People",
    "Redact",
    "Sandbox",
    "Sandboxes",
    "Secrets",
    "Session",
    "Sessions",
    "Store",
    "Tool",
    "ToolSource",
    "Vault",
]
