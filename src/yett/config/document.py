# SPDX-License-Identifier: Apache-2.0
"""YAML with places: a document as plain values, and the line of every one of them.

Reads YAML the way version 1.2 means it: only `true`, `false`, `null` and numbers are not text, so
that `on`, `no`, `08:00` and `1_000` stay what was written. Duplicate keys, anchors, tags and keys
that are not text are errors. Called by `load.py`. Never opens a file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

import yaml

from yett.action import JsonObject, JsonValue
from yett.errors import ConfigurationError

Path = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?\Z")
_WORDS: dict[str, JsonValue] = {"true": True, "false": False, "null": None, "~": None, "": None}


class Document:
    """A parsed document: `value`, and `line(path)` for error texts."""

    def __init__(self, text: str, name: str = "yett.yaml") -> None:
        """Parse.

        Raises:
            ConfigurationError: it is not the YAML described above.
        """
        self.name = name
        self._lines: dict[Path, int] = {(): 1}
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                if isinstance(event, yaml.AliasEvent):
                    raise ConfigurationError(f"{name}: no aliases, please (*{event.anchor})")
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f", line {mark.line + 1}" if mark else ""
            raise ConfigurationError(f"{name}{where}: {error.problem or 'not YAML'}") from error
        except yaml.YAMLError as error:
            raise ConfigurationError(f"{name}: not YAML: {error}") from error
        value = self._value(node, ()) if node is not None else None
        if not isinstance(value, dict):
            raise ConfigurationError(f"{name}: the document must be a mapping that starts with `version: 1`")
        self.value: JsonObject = value

    def line(self, path: Path) -> int:
        """The line of the value at `path`, or of its nearest parent that exists."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def place(self, path: Path, message: str) -> str:
        """`message` with the file, the line and the dotted path in front."""
        dotted = ".".join(str(part) for part in path)
        return f"{self.name}, line {self.line(path)}: {dotted + ': ' if dotted else ''}{message}"

    def _fail(self, node: yaml.Node, message: str) -> ConfigurationError:
        return ConfigurationError(f"{self.name}, line {node.start_mark.line + 1}: {message}")

    def _value(self, node: yaml.Node, path: Path) -> JsonValue:
        self._lines[path] = node.start_mark.line + 1
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(child, (*path, i)) for i, child in enumerate(node.value)]
        found: JsonObject = {}
        for key_node, child in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._fail(key_node, "a key must be text")
            key = str(key_node.value)
            if key in found:
                raise self._fail(key_node, f"the key {key!r} stands here twice")
            found[key] = self._value(child, (*path, key))
            self._lines[*path, key] = key_node.start_mark.line + 1
        return found

    def _scalar(self, node: yaml.ScalarNode) -> JsonValue:
        text = str(node.value)
        if node.style is not None:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.match(text):
            return int(text)
        if _FLOAT.match(text):
            return float(text)
        if text.startswith(("!", "&", "*")):
            raise self._fail(node, "no tags, anchors or aliases, please")
        return text


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """` Did you mean 'x'?` or the allowed words; for the end of an error text."""
    words = sorted(allowed)
    near = difflib.get_close_matches(word, words, n=1)
    return f" Did you mean {near[0]!r}?" if near else f" Allowed: {', '.join(words)}."
