# SPDX-License-Identifier: Apache-2.0
"""Every tool behind one door: which there are, whether arguments fit, and who runs each.

`Toolbox` is the Catalog and the Execute of the pipeline over any number of sources. Names are unique
across sources: two tools of one name fail start-up, and a source that brings a taken name later is not
served for it. It never touches an engine or a network itself.
"""

from __future__ import annotations

from yett.action import Authorized, JsonObject, ToolDefinition, ToolResult
from yett.errors import BrokenRoom, ConfigurationError
from yett.ports import Tool, ToolSource
from yett.tools.schema import SchemaCheck


class BuiltinTools:
    """The tools that the gateway itself serves (`ports.ToolSource`)."""

    def __init__(self, tools: tuple[Tool, ...]) -> None:
        self._tools = {tool.definition.name: tool for tool in tools}

    def tools(self) -> tuple[ToolDefinition, ...]:
        """What is served."""
        return tuple(tool.definition for tool in self._tools.values())

    async def run(self, call: Authorized) -> ToolResult:
        """Run one of them."""
        return await self._tools[call.action.name].run(call)


class Toolbox:
    """All sources together (`ports.Catalog`, `ports.Execute`)."""

    def __init__(self, sources: tuple[ToolSource, ...]) -> None:
        """Join the sources.

        Raises:
            ConfigurationError: two tools of one name.
        """
        self._sources = sources
        self._check = SchemaCheck()
        self._owners: dict[str, tuple[ToolDefinition, ToolSource]] = {}
        self._sorted: tuple[ToolDefinition, ...] = ()
        taken = self.refresh()
        if taken:
            raise ConfigurationError(f"two tools are called {taken[0]!r}; rename an upstream")

    def refresh(self) -> tuple[str, ...]:
        """Read the sources again; return the names that were taken already and are not served twice."""
        owners: dict[str, tuple[ToolDefinition, ToolSource]] = {}
        taken: list[str] = []
        for source in self._sources:
            for definition in source.tools():
                if definition.name in owners:
                    taken.append(definition.name)
                else:
                    owners[definition.name] = (definition, source)
        self._owners = owners
        self._sorted = tuple(owners[name][0] for name in sorted(owners))
        return tuple(taken)

    def find(self, name: str) -> ToolDefinition | None:
        """The tool of that exact name."""
        owned = self._owners.get(name)
        return owned[0] if owned else None

    def all(self) -> tuple[ToolDefinition, ...]:
        """Every tool, by name."""
        return self._sorted

    def problem(self, tool: ToolDefinition, arguments: JsonObject) -> str | None:
        """Why the arguments do not fit, or None."""
        return self._check.problem(tool.digest, tool.input_schema, arguments)

    async def run(self, call: Authorized) -> ToolResult:
        """Run it where it comes from, if it still is what was decided on."""
        owned = self._owners.get(call.action.name)
        if owned is None or owned[0].digest != call.action.tool.digest:
            raise BrokenRoom("The tool changed while the call was on its way; call again.")
        return await owned[1].run(call)
