# SPDX-License-Identifier: Apache-2.0
"""Which tool has which facts: the one table, and `facts_of` that reads it.

Called once an action, and only when a rule asks for a fact. A fact that can't be read is missing,
which makes the condition unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from yett.action import Facts, JsonObject, JsonValue
from yett.policy.facts.paths import path_facts
from yett.policy.facts.sql import sql_facts
from yett.policy.facts.urls import url_facts
from yett.policy.settings import PolicySettings

Parser: TypeAlias = Callable[[JsonObject, PolicySettings], dict[str, JsonValue]]


def _paths(arguments: JsonObject, settings: PolicySettings) -> dict[str, JsonValue]:
    return path_facts(arguments, settings.max_path)


def _urls(arguments: JsonObject, settings: PolicySettings) -> dict[str, JsonValue]:
    return url_facts(arguments, settings.max_url)


def _sql(arguments: JsonObject, settings: PolicySettings) -> dict[str, JsonValue]:
    return sql_facts(arguments, settings.max_sql)


PARSERS: dict[str, Parser] = {
    "file_read": _paths,
    "file_write": _paths,
    "file_edit": _paths,
    "file_list": _paths,
    "file_search": _paths,
    "http_request": _urls,
    "sql_query": _sql,
}


def facts_of(tool_name: str, arguments: JsonObject, settings: PolicySettings | None = None) -> Facts:
    """The facts of one call. Empty for tools without a parser."""
    parser = PARSERS.get(tool_name)
    return {} if parser is None else parser(arguments, settings or PolicySettings())
