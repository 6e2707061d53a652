# SPDX-License-Identifier: Apache-2.0
"""The `sql_query` tool: one reading statement on a SQLite database that the operator named.

Four locks lie behind each other: the file is opened read-only, the connection is set to queries only,
an authorizer denies every operation but reading with listed functions, and limits, a deadline and
cancellation stop what takes too much. It never writes, attaches, or opens another file. Called by the
executor; what a statement touches is decided before, by the policy's own SQL parser.
"""

from __future__ import annotations

import base64
import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import anyio
import anyio.lowlevel
from anyio import to_thread

from yett.action import Authorized, JsonObject, JsonValue, ToolDefinition, ToolResult
from yett.errors import ConfigurationError, ExecutionError, ExecutionTimeout
from yett.tools.sql_authorizer import authorize

NAME = "sql_query"

_PREFIX = "sqlite:///"
_STEPS = 5_000
"""Virtual-machine instructions between two looks at the clock; well under a millisecond."""

_Value: TypeAlias = int | float | str | bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """One database. `url` is `sqlite:///` and a path; `mode` can only be `read-only` in this version."""

    url: str
    mode: str = "read-only"


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLimits:
    """Upper bounds of one query. Times are seconds, sizes bytes.

    `rows` is the default for a call, `rows_max` what a call may ask for. `value_bytes` bounds every
    text and blob, also those inside the query. `busy` is the wait for a writer's lock. `concurrency`
    is how many queries run at once.
    """

    timeout: float = 10.0
    busy: float = 1.0
    rows: int = 200
    rows_max: int = 5_000
    result_bytes: int = 256 << 10
    sql_bytes: int = 64 << 10
    value_bytes: int = 256 << 10
    columns: int = 256
    concurrency: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Query:
    path: Path
    sql: str
    parameters: list[JsonValue] | JsonObject
    rows: int
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What the worker thread found: lines, or why there are none."""

    lines: tuple[str, ...] = ()
    count: int = 0
    truncated: bool = False
    failure: str = ""
    interrupted: bool = False


class SqlQuery:
    """The `Tool` port.

    Args:
        databases: What may be queried, by the name that agents use.
        limits: Upper bounds.

    Raises:
        ConfigurationError: no database, a URL that is not SQLite's, or a mode that would write.
    """

    def __init__(self, databases: Mapping[str, DatabaseSettings], limits: SqlLimits | None = None) -> None:
        self._paths = {name: _path_of(name, settings) for name, settings in sorted(databases.items())}
        if not self._paths:
            raise ConfigurationError("sql needs at least one database", path=("tools", "sql", "databases"))
        self._limits = limits or SqlLimits()
        self._running = anyio.CapacityLimiter(self._limits.concurrency)
        self.definition = _definition(tuple(self._paths), self._limits)

    async def run(self, call: Authorized) -> ToolResult:
        """Run the statement in a worker thread; cancellation interrupts it and waits for its end."""
        query = self._query(call)
        stop = threading.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_set_when_cancelled, stop)
            answer = await to_thread.run_sync(_answer, query, self._limits, stop, limiter=self._running)
            tasks.cancel_scope.cancel()
        await anyio.lowlevel.checkpoint_if_cancelled()
        if answer.interrupted:
            raise ExecutionTimeout(f"The query ran longer than {query.timeout:g} seconds and was stopped.")
        if answer.failure:
            return ToolResult.text(answer.failure, is_error=True)
        note = (
            f"(cut after {answer.count} rows; ask for fewer columns or rows, or use LIMIT and OFFSET)"
            if answer.truncated
            else f"({answer.count} rows)"
        )
        return ToolResult(
            content=({"type": "text", "text": "\n".join((*answer.lines, note))},),
            meta={"yett/sql": {"rows": answer.count, "truncated": answer.truncated}},
        )

    def _query(self, call: Authorized) -> _Query:
        arguments = call.action.arguments
        path = self._paths.get(str(arguments.get("database")))
        if path is None:
            raise ExecutionError("There is no database of that name.")
        parameters = arguments.get("parameters", [])
        rows = arguments.get("max_rows", self._limits.rows)
        return _Query(
            path=path,
            sql=str(arguments["sql"]),
            parameters=parameters if isinstance(parameters, list | dict) else [],
            rows=min(rows if isinstance(rows, int) else 0, self._limits.rows_max),
            timeout=min(self._limits.timeout, call.deadline),
        )


async def _set_when_cancelled(stop: threading.Event) -> None:
    try:
        await anyio.sleep_forever()
    finally:
        stop.set()


def _answer(query: _Query, limits: SqlLimits, stop: threading.Event) -> _Answer:
    """Open, ask, read and close, all in one thread."""
    ends = time.monotonic() + query.timeout

    def is_over() -> bool:
        return stop.is_set() or time.monotonic() > ends

    try:
        connection = _open(query.path, limits)
    except (sqlite3.Error, sqlite3.Warning):
        return _Answer(failure="The database can't be opened now.")
    try:
        connection.set_progress_handler(is_over, _STEPS)
        return _read(connection.execute(query.sql, query.parameters), query.rows, limits)
    except (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError) as error:
        if is_over():
            return _Answer(interrupted=True)
        return _Answer(failure=_advice(str(error)))
    finally:
        connection.close()


def _open(path: Path, limits: SqlLimits) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, timeout=limits.busy, isolation_level=None
    )
    try:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
        # SQLite sets these up on first use with what the authorizer would have to deny.
        connection.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')").fetchall()
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        for limit, value in (
            (sqlite3.SQLITE_LIMIT_LENGTH, limits.value_bytes),
            (sqlite3.SQLITE_LIMIT_SQL_LENGTH, limits.sql_bytes),
            (sqlite3.SQLITE_LIMIT_COLUMN, limits.columns),
            (sqlite3.SQLITE_LIMIT_EXPR_DEPTH, 100),
            (sqlite3.SQLITE_LIMIT_COMPOUND_SELECT, 50),
            (sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
            (sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 1_000),
            (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
            (sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 1),
            (sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0),
        ):
            connection.setlimit(limit, value)
        connection.set_authorizer(authorize)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _read(cursor: sqlite3.Cursor, rows: int, limits: SqlLimits) -> _Answer:
    """The columns and up to `rows` rows as lines of JSON arrays, up to the limit of bytes."""
    if cursor.description is None:
        return _Answer(failure="This is no statement that gives rows.")
    lines = [json.dumps([column[0] for column in cursor.description], ensure_ascii=False)]
    size = len(lines[0].encode())
    for count, row in enumerate(cursor):
        line = json.dumps([_json(value) for value in row], ensure_ascii=False)
        size += len(line.encode()) + 1
        if count >= rows or size > limits.result_bytes:
            return _Answer(lines=tuple(lines), count=count, truncated=True)
        lines.append(line)
    return _Answer(lines=tuple(lines), count=len(lines) - 1)


def _json(value: _Value) -> JsonValue:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, float) and value in {float("inf"), float("-inf")}:
        return str(value)
    return value


def _advice(error: str) -> str:
    """SQLite's message, and what to do where it is too short."""
    if "one statement" in error:
        return "Send one statement at a time."
    if "not authorized" in error or "prohibited" in error or "readonly" in error:
        return f"This database can only be read with SELECT and common functions ({error})."
    return f"The query failed: {error}."


def _path_of(name: str, settings: DatabaseSettings) -> Path:
    place = ("tools", "sql", "databases", name)
    if settings.mode != "read-only":
        raise ConfigurationError(
            f"mode {settings.mode!r} comes in a later version; use read-only", path=(*place, "mode")
        )
    if not settings.url.startswith(_PREFIX) or not settings.url.removeprefix(_PREFIX):
        raise ConfigurationError("a database URL is sqlite:/// and a path", path=(*place, "url"))
    return Path(settings.url.removeprefix(_PREFIX)).expanduser().absolute()


def _definition(names: tuple[str, ...], limits: SqlLimits) -> ToolDefinition:
    scalar: JsonObject = {"type": ["string", "number", "boolean", "null"]}
    return ToolDefinition(
        name=NAME,
        title="SQL query",
        description=(
            "Run one SELECT statement (SQLite's dialect) on a database. The answer is one JSON array a line, "
            "the column names first. Pass values as parameters (? or :name), never inside the statement. "
            "The tables are listed by SELECT name, sql FROM sqlite_schema."
        ),
        input_schema={
            "type": "object",
            "properties": {
                "database": {"type": "string", "enum": list(names)},
                "sql": {"type": "string", "minLength": 1, "maxLength": limits.sql_bytes},
                "parameters": {
                    "type": ["array", "object"],
                    "items": scalar,
                    "additionalProperties": scalar,
                    "description": "Values for ? in order, or for :name by name.",
                },
                "max_rows": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": limits.rows_max,
                    "default": limits.rows,
                },
            },
            "required": ["database", "sql"],
            "additionalProperties": False,
        },
        annotations={
            "title": "SQL query",
            "readOnlyHint": True,
            "destructiveHint": False,
            "idempotentHint": True,
            "openWorldHint": False,
        },
        target=f"sql:{names[0]}" if len(names) == 1 else "sql",
        timeout=limits.timeout + limits.busy + 5.0,
    )
