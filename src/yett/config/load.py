# SPDX-License-Identifier: Apache-2.0
"""Finds `yett.yaml` and reads it into `Settings`, with the line in every error.

The file is `--config`, else `YETT_CONFIG`, else `$XDG_CONFIG_HOME/yett/yett.yaml`. It is never
searched for in the current folder, where an agent might have written one. Called by `cli/` and
`app.py`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from yett.action import digest_of
from yett.config.document import Document, did_you_mean
from yett.config.later import refuse_later
from yett.config.settings import Settings
from yett.errors import ConfigurationError

_BRANCH = re.compile(r"[\[(]")
"""pydantic names the branch of a union in a location (`function-before[seconds(), float]`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A file that was read: its settings, its places and the folder that holds the gate's state."""

    path: Path
    text: str
    document: Document
    settings: Settings
    state: Path

    @property
    def digest(self) -> str:
        """Identifies the file's meaning: comments and layout do not count."""
        return digest_of(self.document.value)


def configuration_path(given: str | None = None) -> Path:
    """Where the file is expected; it need not exist."""
    chosen = given or os.environ.get("YETT_CONFIG")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return _xdg("XDG_CONFIG_HOME", ".config") / "yett" / "yett.yaml"


def _xdg(variable: str, fallback: str) -> Path:
    base = os.environ.get(variable, "")
    return Path(base) if base.startswith("/") else Path.home() / fallback


def load(path: Path) -> Configuration:
    """Read a file.

    Raises:
        ConfigurationError: missing, unreadable or wrong; the text names the line and the remedy.
    """
    try:
        _refuse_open_to_others(path)
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigurationError(f"there is no {path}", advice="run: yett init") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"can't read {path}: {error}") from error
    return parse(text, path)


def _refuse_open_to_others(path: Path) -> None:
    """Law 7: whoever can write the file, or swap it in its folder, makes the rules.

    Raises:
        ConfigurationError: others than its owner can.
    """
    for place in (path, path.parent):
        found = place.stat()
        others = stat.S_IMODE(found.st_mode) & 0o022
        sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        if (others and not sticky) or found.st_uid not in {0, os.geteuid()}:
            raise ConfigurationError(
                f"others than you can change {place}", advice=f"chown $USER {place}; chmod go-w {place}"
            )


def parse(text: str, path: Path) -> Configuration:
    """`load` for text that is already read; `path` is used for error texts and relative paths."""
    document = Document(text, path.name)
    refuse_later(document)
    try:
        settings = Settings.model_validate(document.value)
    except ValidationError as error:
        raise _readable(document, error) from error
    state = settings.state or _xdg("XDG_STATE_HOME", ".local/state") / "yett"
    if str(state).startswith(("postgresql:", "postgres:")):
        raise ConfigurationError(document.place(("state",), "this version keeps its state in a folder only"))
    state = state.expanduser()
    if not state.is_absolute():
        state = path.parent / state
    configuration = Configuration(path=path, text=text, document=document, settings=settings, state=state)
    _refuse_strangers(configuration)
    _refuse_unknown_destinations(configuration)
    _refuse_overlap(configuration)
    return configuration


def _readable(document: Document, error: ValidationError) -> ConfigurationError:
    """The first of pydantic's findings, in words, with its line."""
    first = error.errors()[0]
    location = first["loc"]
    path = tuple(part for part in location if not (isinstance(part, str) and _BRANCH.search(part)))
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        message = f"there is no key {location[-1]!r} here." + did_you_mean(
            str(location[-1]), _keys_at(path[:-1])
        )
    elif first["type"] == "missing":
        message = "this key is missing"
    return ConfigurationError(document.place(path, message), path=path)


def _keys_at(path: tuple[str | int, ...]) -> list[str]:
    """The keys that a section may have, for error texts."""
    schema = Settings.model_json_schema()
    node: dict[str, object] = schema
    for part in path:
        node = _child(schema, node, part)
    properties = _resolved(schema, node).get("properties")
    return list(properties) if isinstance(properties, dict) else []


def _child(schema: dict[str, object], node: dict[str, object], part: str | int) -> dict[str, object]:
    node = _resolved(schema, node)
    properties = node.get("properties")
    if isinstance(properties, dict) and part in properties:
        return dict(properties[part])
    for key in ("additionalProperties", "items"):
        inner = node.get(key)
        if isinstance(inner, dict):
            return dict(inner)
    return {}


def _resolved(schema: dict[str, object], node: dict[str, object]) -> dict[str, object]:
    options = node.get("anyOf")
    if isinstance(options, list):
        node = next((dict(o) for o in options if "$ref" in o), node)
    reference = node.get("$ref")
    definitions = schema.get("$defs")
    if isinstance(reference, str) and isinstance(definitions, dict):
        return dict(definitions[reference.rpartition("/")[2]])
    return node


def _refuse_strangers(configuration: Configuration) -> None:
    """A name that nobody has would open the way out for nobody, and nobody would be told.

    Raises:
        ConfigurationError: `egress.allow` is for a role or agent that is not in the file.
    """
    settings = configuration.settings
    known = {"*", *settings.roles, *settings.agents}
    for index, rule in enumerate(settings.egress.allow):
        for name in rule.to:
            if name not in known:
                path = ("egress", "allow", index, "to")
                message = f"there is no role or agent {name!r}." + did_you_mean(name, known)
                raise ConfigurationError(configuration.document.place(path, message), path=path)


def _refuse_unknown_destinations(configuration: Configuration) -> None:
    """Privacy for a destination that no call has would be silently off.

    Raises:
        ConfigurationError: `privacy.destinations` names what no tool sends to.
    """
    settings = configuration.settings
    databases = settings.tools.sql.databases if settings.tools.sql else {}
    hosts = {rule.host.rpartition(":")[0] or rule.host for rule in settings.egress.allow}
    known = {"egress", "sandbox", "sql", *settings.upstreams, *databases, *hosts}
    known |= {f"upstream:{name}" for name in settings.upstreams} | {f"sql:{name}" for name in databases}
    for name in settings.privacy.destinations:
        if name not in known and f"*.{name.partition('.')[2]}" not in hosts:
            path = ("privacy", "destinations", name)
            message = "no tool sends there." + did_you_mean(name, known)
            raise ConfigurationError(configuration.document.place(path, message), path=path)


def _refuse_overlap(configuration: Configuration) -> None:
    """Law 7: what an agent can reach must not hold the gate's files, nor they it.

    Raises:
        ConfigurationError: a workspace, a database or an upstream's folder overlaps with them.
    """
    guarded = {"the configuration": configuration.path, "the state": configuration.state}
    for path, reach in _reaches(configuration):
        for what, place in guarded.items():
            real = place.resolve()
            if real.is_relative_to(reach) or reach.is_relative_to(real):
                message = f"{what} ({real}) and {reach} overlap: an agent could reach the gate's own files"
                raise ConfigurationError(
                    configuration.document.place(path, message),
                    path=path,
                    advice="move one of them so that neither holds the other",
                )


def _reaches(configuration: Configuration) -> Iterator[tuple[tuple[str, ...], Path]]:
    """What agents reach on this host, by where the file says so."""
    settings, beside = configuration.settings, configuration.path.parent
    shell, sql = settings.tools.shell, settings.tools.sql
    if shell is not None and shell.workspace is not None:
        yield ("tools", "shell", "workspace"), shell.workspace.path.expanduser().resolve()
    for name, database in (sql.databases if sql else {}).items():
        path = ("tools", "sql", "databases", name)
        yield path, (beside / database.url.removeprefix("sqlite:///")).resolve()
    for name, upstream in settings.upstreams.items():
        if upstream.cwd is not None:
            yield ("upstreams", name, "cwd"), upstream.cwd.expanduser().resolve()
