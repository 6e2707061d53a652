# SPDX-License-Identifier: Apache-2.0
"""What a statement of an agent may do inside SQLite: read, and call the functions named here.

SQLite asks this while it compiles a statement, views and common table expressions included. What is
not named is denied, so an operation that a later SQLite adds is denied too. Called by `sql_query`.

Source: https://www.sqlite.org/c3ref/c_alter_table.html (the action codes).
"""

from __future__ import annotations

import sqlite3  # noqa: TID251 - the action codes

_READING = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})

FUNCTIONS = frozenset(
    (
        # scalar and aggregate
        "abs", "avg", "char", "coalesce", "concat", "concat_ws", "count", "format", "glob", "group_concat",
        "hex", "if", "ifnull", "iif", "instr", "length", "like", "likelihood", "likely", "lower", "ltrim",
        "max", "min", "nullif", "octet_length", "printf", "quote", "replace", "round", "rtrim", "sign",
        "soundex", "sqlite_version", "string_agg", "substr", "substring", "sum", "total", "trim", "typeof",
        "unhex", "unicode", "unistr", "unlikely", "upper",
        # windows
        "cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile",
        "percent_rank", "rank", "row_number",
        # time
        "current_date", "current_time", "current_timestamp", "date", "datetime", "julianday", "strftime",
        "time", "timediff", "unixepoch",
        # JSON
        "->", "->>", "json", "json_array", "json_array_length", "json_error_position", "json_extract",
        "json_group_array", "json_group_object", "json_insert", "json_object", "json_patch", "json_pretty",
        "json_quote", "json_remove", "json_replace", "json_set", "json_type", "json_valid",
        # mathematics
        "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos", "cosh",
        "degrees", "exp", "floor", "ln", "log", "log10", "log2", "mod", "pi", "pow", "power", "radians",
        "sin", "sinh", "sqrt", "tan", "tanh", "trunc",
    )
)  # fmt: skip
"""Functions that neither reach outside the database nor make something out of nothing."""


def authorize(
    action: int, first: str | None, second: str | None, database: str | None, source: str | None
) -> int:
    """SQLite's authorizer callback: `SQLITE_OK` or `SQLITE_DENY`."""
    del database, source
    if action in _READING:
        is_pragma = action == sqlite3.SQLITE_READ and (first or "").lower().startswith("pragma_")
        return sqlite3.SQLITE_DENY if is_pragma else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in FUNCTIONS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
