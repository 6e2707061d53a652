# SPDX-License-Identifier: Apache-2.0
"""The tools of one upstream, pinned to the definition that was seen first.

A definition that changes later, at a new connection or on a notice, is withheld until the gateway
restarts: what people and policies judged was another tool. Pure. Called by `connection`.
"""

from __future__ import annotations

from collections.abc import Iterable

from yett.action import JsonObject, ToolDefinition
from yett.errors import UpstreamError
from yett.upstreams.definition import definition_of
from yett.upstreams.settings import UpstreamLimits, UpstreamSpec


class PinnedTools:
    """What an upstream serves now, and what it served first.

    Args:
        spec: The upstream.
        limits: Upper bounds of a definition.
    """

    def __init__(self, spec: UpstreamSpec, limits: UpstreamLimits) -> None:
        self._spec = spec
        self._limits = limits
        self._served: dict[str, ToolDefinition] = {}
        self._originals: dict[str, str] = {}
        self._first: dict[str, str] = {}
        self.problems: tuple[str, ...] = ()

    @property
    def served(self) -> tuple[ToolDefinition, ...]:
        """The tools that may be called, by name."""
        return tuple(self._served.values())

    def knows(self, name: str) -> bool:
        """Whether a tool of that name is or was listed."""
        return name in self._first

    def original_of(self, tool: ToolDefinition) -> str:
        """The upstream's own name of a tool that was decided on.

        Raises:
            UpstreamError: it is gone, withheld, or no longer the one that was decided on.
        """
        known = self._served.get(tool.name)
        if known is None and tool.name in self._originals:
            raise UpstreamError(
                f"{tool.name} changed its definition since it was first seen, so it is withheld until an "
                "operator restarts the gateway."
            )
        if known is None or known.digest != tool.digest:
            raise UpstreamError(
                f"The upstream {self._spec.name} no longer serves {tool.name} as it was decided on."
            )
        return self._originals[tool.name]

    def adopt(self, listed: Iterable[JsonObject]) -> bool:
        """Take a new list of tools; returns whether what is served changed.

        Raises:
            UpstreamError: one name is listed twice; the whole list is refused.
        """
        served: dict[str, ToolDefinition] = {}
        originals: dict[str, str] = {}
        problems: list[str] = []
        for tool in listed:
            try:
                definition = definition_of(tool, self._spec, self._limits)
            except UpstreamError as error:
                problems.append(str(error))
                continue
            if definition.name in originals:
                raise UpstreamError(f"it lists {definition.name} twice")
            originals[definition.name] = str(tool["name"])
            if self._first.setdefault(definition.name, definition.digest) == definition.digest:
                served[definition.name] = definition
            else:
                problems.append(f"{definition.name}: its definition changed; withheld until a restart")
        changed = served != self._served
        self._served, self._originals = dict(sorted(served.items())), originals
        self.problems = tuple(problems)
        return changed
