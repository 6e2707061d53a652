# SPDX-License-Identifier: Apache-2.0
"""What is decided on: a tool as it is listed, and one use of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from yett.action.request import Kind, Principal
from yett.action.values import UNTRUSTED, JsonObject, JsonValue, Label, canonical_json, digest_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """A tool as it is listed, validated and decided on.

    `origin` is `builtin` or the upstream's name. `target` names what the tool acts on for approvals
    and redaction (`sandbox`, `egress`, `sql:sales`, `upstream:bank`). `annotations` are the MCP
    hints; those of an upstream are shown and never believed. `result_labels` are put on each result.
    """

    name: str
    description: str
    input_schema: JsonObject
    title: str = ""
    output_schema: JsonObject | None = None
    annotations: JsonObject = field(default_factory=dict)
    origin: str = "builtin"
    target: str = "gate"
    result_labels: frozenset[Label] = frozenset({UNTRUSTED})
    timeout: float = 60.0

    digest: str = field(init=False, default="", compare=False)
    """Identifies this definition, so that an approval for it dies when it changes."""

    def __post_init__(self) -> None:
        """Compute the digest once: it is used on the path of every call."""
        digest = digest_of(
            {
                "name": self.name,
                "description": self.description,
                "input_schema": self.input_schema,
                "output_schema": self.output_schema,
                "annotations": self.annotations,
                "origin": self.origin,
                "target": self.target,
            }
        )
        object.__setattr__(self, "digest", digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What is decided on, shown to a person, and run: one identified call with its arguments.

    `arguments` are the values that the destination will receive; nobody may change them in place.
    """

    id: str
    kind: Kind
    tool: ToolDefinition
    arguments: JsonObject
    principal: Principal
    received_at: float
    parent: str | None = None
    _form: list[tuple[str, int]] = field(init=False, default_factory=list, compare=False, repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical arguments."""
        return self._measured()[0]

    @property
    def size(self) -> int:
        """Bytes of the canonical arguments."""
        return self._measured()[1]

    def _measured(self) -> tuple[str, int]:
        # Computed once: records, approvals and limits all use it on the path of a call.
        if not self._form:
            form = canonical_json(self.arguments)
            self._form.append((hashlib.sha256(form).hexdigest(), len(form)))
        return self._form[0]

    @property
    def name(self) -> str:
        """The tool's name."""
        return self.tool.name


Facts: TypeAlias = Mapping[str, JsonValue]
"""What parsers found in an action, by name (`path`, `http.host`, `sql.verbs`). A missing name is
unknown, which is not the same as empty."""
