# SPDX-License-Identifier: Apache-2.0
"""SQL: verbs, tables, functions and the number of statements, at every depth, by sqlglot.

Never the first word: `WITH x AS (DELETE ...) SELECT` deletes, and so does the second statement. Read
with SQLite's grammar, the one of the gate's own SQL tool. A statement that sqlglot only keeps as text
(EXPLAIN, VACUUM, triggers), or that can be read in two ways (`/*! ... */`; U+FEFF, which is a space to
SQLite and part of a name here; `x IN t`, where t is a table and looks like a column; a dot inside a
quoted name), has no facts, so rules that allow on them do not match. sqlglot is imported on first use
because it costs memory, and its log is silenced because it would print the statement.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yett.action import JsonObject, JsonValue

if TYPE_CHECKING:
    from sqlglot import exp

_STATEMENTS = {
    "alter": "alter",
    "analyze": "analyze",
    "attach": "attach",
    "commit": "commit",
    "copy": "copy",
    "create": "create",
    "delete": "delete",
    "detach": "detach",
    "drop": "drop",
    "except": "select",
    "grant": "grant",
    "insert": "insert",
    "intersect": "select",
    "merge": "merge",
    "pragma": "pragma",
    "revoke": "revoke",
    "rollback": "rollback",
    "select": "select",
    "set": "set",
    "transaction": "begin",
    "truncatetable": "truncate",
    "union": "select",
    "update": "update",
    "use": "use",
    "values": "select",
}
"""sqlglot's key of a statement and the verb that rules use. What is not here is unreadable."""

_INSIDE = {"into": "create", "lock": "lock", "onconflict": "update"}
"""Clauses that do more than their statement says."""

_SYNTAX = frozenset({"and", "or", "xor", "case", "if", "not", "connector"})
"""What sqlglot models as functions and people do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlFacts:
    """What a SQL text does. Names are in lower case."""

    verbs: frozenset[str]
    tables: frozenset[str]
    functions: frozenset[str]
    statements: int


def sql_facts(arguments: JsonObject, limit: int) -> dict[str, JsonValue]:
    """`sql.*` from argument `sql`; tables are `<database>.<table>` where argument `database` says which."""
    value, database = arguments.get("sql"), arguments.get("database")
    home = database.lower() if isinstance(database, str) and database and "." not in database else None
    found = read_sql(value, limit, home) if isinstance(value, str) else None
    if found is None:
        return {}
    return {
        "sql.verbs": [*sorted(found.verbs)],
        "sql.tables": [*sorted(found.tables)],
        "sql.functions": [*sorted(found.functions)],
        "sql.statements": found.statements,
    }


def read_sql(text: str, limit: int, home: str | None = None) -> SqlFacts | None:
    """Parse a SQL text; None when any part of it can't be read for certain.

    `limit` is in characters; `home` is the database that unqualified tables, and `main`, are in.
    """
    if len(text) > limit or "\0" in text or "/*!" in text or "\ufeff" in text:
        return None
    import sqlglot  # noqa: PLC0415 - see the module's docstring
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    logging.getLogger("sqlglot").disabled = True
    try:
        statements = [each for each in sqlglot.parse(text, dialect="sqlite") if each is not None]
        return _facts(statements, text, home) if statements else None
    except (SqlglotError, RecursionError, ValueError):
        return None


def _facts(statements: list[exp.Expr], text: str, home: str | None) -> SqlFacts | None:
    verbs: set[str] = set()
    tables: set[str] = set()
    functions: set[str] = set()
    for statement in statements:
        if statement.key not in _STATEMENTS:
            return None
        for node in statement.walk():
            if node.key == "command" or (node.key == "in" and node.args.get("field") is not None):
                return None
            verb = _STATEMENTS.get(node.key) or _INSIDE.get(node.key)
            if verb is not None and (node is statement or node.key not in {"set", "values", "use"}):
                verbs.add(verb)
        tables |= _tables(statement, home)
        functions |= _functions(statement, text)
    return SqlFacts(
        verbs=frozenset(verbs),
        tables=frozenset(tables),
        functions=frozenset(functions),
        statements=len(statements),
    )


def _tables(statement: exp.Expr, home: str | None) -> set[str]:
    from sqlglot import exp  # noqa: PLC0415

    found = set()
    for table in statement.find_all(exp.Table):
        if not table.name:
            # A function that stands for a table is one.
            found.add(table.this.name.lower() if isinstance(table.this, exp.Anonymous) else table.this.key)
            continue
        parts = [part.lower() for part in (table.catalog, table.db, table.name) if part]
        if any("." in part for part in parts):
            raise ValueError("a dot inside a name")
        if len(parts) == 1 and _names_a_common_table(table):
            continue
        if home is not None and (len(parts) == 1 or parts[:-1] == ["main"]):
            parts = [home, parts[-1]]
        found.add(".".join(parts))
    return found


def _names_a_common_table(table: exp.Expr) -> bool:
    """Whether an unqualified name means a WITH table that is visible where it stands.

    Inside a WITH list only earlier tables are visible (and all of them in a recursive one), so the
    body of `WITH t AS (SELECT * FROM t)` reads the real table.
    """
    from sqlglot import exp  # noqa: PLC0415

    name, inside = table.name.lower(), table
    around = table.parent
    while around is not None:
        if isinstance(around, exp.With):
            earlier = around.expressions if around.args.get("recursive") else []
            for each in around.expressions:
                if each is inside:
                    break
                earlier = [*earlier, each]
            if any(each.alias.lower() == name for each in earlier):
                return True
        else:
            listed = around.args.get("with_")
            named = () if listed is None or listed is inside else listed.expressions
            if any(each.alias.lower() == name for each in named):
                return not _is_written(table)
        inside, around = around, around.parent
    return False


def _is_written(table: exp.Expr) -> bool:
    """Whether it is the target of a statement that writes: a WITH table never is."""
    from sqlglot import exp  # noqa: PLC0415

    parent = table.parent
    if isinstance(parent, exp.Schema):
        table, parent = parent, parent.parent
    return (
        isinstance(
            parent, exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.Create | exp.Drop | exp.Into
        )
        and parent.args.get("this") is table
    )


def _functions(statement: exp.Expr, text: str) -> set[str]:
    """Function names as they were written, and as sqlglot names them where it knows no place."""
    from sqlglot import exp  # noqa: PLC0415

    found = set()
    for function in statement.find_all(exp.Func):
        if function.key in _SYNTAX:
            continue
        start, end = function.meta.get("start"), function.meta.get("end")
        if isinstance(start, int) and isinstance(end, int):
            found.add(text[start : end + 1].strip('"`[]').lower())
        elif isinstance(function, exp.Anonymous):
            found.add(function.name.lower())
        else:
            found.add(function.sql_name().lower())
    return found
