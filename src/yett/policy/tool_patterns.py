# SPDX-License-Identifier: Apache-2.0
"""Which tools a rule is about: an exact name, or a name with one trailing `*`.

A wildcard never crosses from built-in tools to upstreams: `file_*` is about built-in tools only,
`github__*` about that upstream's only. `*` alone is every tool for a rule that restricts and every
built-in tool for a rule that opens, so that a new upstream is never opened by an old rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from yett.action import ToolDefinition
from yett.policy.complaint import Path, complaint

BUILTIN = "builtin"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPattern:
    """One word of a rule's tool list. `origin` is None when the tool's origin does not matter."""

    text: str
    prefix: str
    exact: bool
    origin: str | None

    @property
    def everything(self) -> bool:
        """Whether it is `*` alone."""
        return self.text == "*"

    def covers(self, tool: ToolDefinition) -> bool:
        """Whether the rule is about this tool."""
        if self.exact:
            return tool.name == self.prefix
        return tool.name.startswith(self.prefix) and self.origin in {None, tool.origin}

    def may_overlap(self, other: ToolPattern) -> bool:
        """Whether some tool could be covered by both."""
        if self.exact and other.exact:
            return self.prefix == other.prefix
        if self.exact:
            return other._could_cover_name(self.prefix)
        if other.exact:
            return self._could_cover_name(other.prefix)
        if None not in {self.origin, other.origin} and self.origin != other.origin:
            return False
        return self.prefix.startswith(other.prefix) or other.prefix.startswith(self.prefix)

    def _could_cover_name(self, name: str) -> bool:
        origin = name.split("__", 1)[0] if "__" in name else BUILTIN
        return name.startswith(self.prefix) and self.origin in {None, origin}


def parse_tool_pattern(text: str, *, restricts: bool, path: Path) -> ToolPattern:
    """Read one word of a tool list. `restricts` is true for deny and escalate.

    Raises:
        ConfigurationError: a star elsewhere than at the end, or a kind prefix.
    """
    if ":" in text:
        raise complaint(
            f"{text!r}: rules for resources, prompts and other kinds are of a later version; "
            "this one decides on tools only.",
            path,
        )
    stem = text.removesuffix("*")
    if "*" in stem or any(letter.isspace() or letter in "?[]{}" for letter in stem):
        raise complaint(f"{text!r}: a tool is an exact name, or a name with one trailing '*'.", path)
    if stem == text:
        return ToolPattern(text=text, prefix=text, exact=True, origin=None)
    if not stem:
        return ToolPattern(text=text, prefix="", exact=False, origin=None if restricts else BUILTIN)
    origin = stem.split("__", 1)[0] if "__" in stem else BUILTIN
    return ToolPattern(text=text, prefix=stem, exact=False, origin=origin)
