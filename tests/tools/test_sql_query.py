# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import anyio
import jsonschema
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from http_calls import call_of

from yett.errors import ConfigurationError, ExecutionTimeout
from yett.tools.sql_query import DatabaseSettings, SqlLimits, SqlQuery

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sales of 100%?.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE orders (id INTEGER, customer TEXT, total REAL, note BLOB)")
        db.executemany(
            "INSERT INTO orders VALUES (?, ?, ?, ?)", [(n, f"c{n % 3}", n / 2, b"\xff") for n in range(10)]
        )
        db.execute("CREATE VIEW big AS SELECT * FROM orders WHERE total > 3")
    db.close()
    return path


def tool_for(file, **limits):
    return SqlQuery({"sales": DatabaseSettings(url=f"sqlite:///{file}")}, SqlLimits(**limits))


def run(tool, sql, **arguments):
    arguments = {"database": "sales", "sql": sql, **arguments}
    jsonschema.validate(arguments, tool.definition.input_schema)
    return anyio.run(tool.run, call_of(tool, arguments))


def rows(result):
    assert not result.is_error, result.content
    return [json.loads(line) for line in result.content[0]["text"].splitlines()[:-1]]


def test_a_query_gives_its_columns_and_rows(file):
    result = run(tool_for(file), "SELECT id, customer, note FROM orders WHERE id < 2 ORDER BY id")
    assert rows(result) == [
        ["id", "customer", "note"],
        [0, "c0", {"base64": "/w=="}],
        [1, "c1", {"base64": "/w=="}],
    ]
    assert result.content[0]["text"].endswith("\n(2 rows)")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT customer, sum(total) OVER (PARTITION BY customer) FROM orders",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n",
        "SELECT count(*) FROM big WHERE customer LIKE 'c%' -- a comment",
        "SELECT value FROM json_each('[1,2]')",
        "SELECT '{\"a\":1}' ->> 'a', strftime('%Y', '2026-01-01'), round(1.5)",
        "SELECT name, sql FROM sqlite_schema",
        "VALUES (1, 2)",
    ],
)
def test_reading_of_every_kind_works(file, sql):
    assert len(rows(run(tool_for(file), sql))) > 1


def test_values_are_bound_and_never_parsed(file):
    hostile = "x'; DROP TABLE orders; --"
    tool = tool_for(file)
    assert rows(run(tool, "SELECT ? AS v", parameters=[hostile])) == [["v"], [hostile]]
    assert rows(run(tool, "SELECT :v AS v", parameters={"v": hostile})) == [["v"], [hostile]]


@pytest.mark.parametrize("parameters", [[], [1, 2], {"w": 1}, [1 << 64]])
def test_parameters_that_do_not_fit_are_an_error(file, parameters):
    assert run(tool_for(file), "SELECT :v", parameters=parameters).is_error


def test_rows_over_the_limit_are_cut_and_said_so(file):
    tool = tool_for(file, rows=9, rows_max=10)
    assert run(tool, "SELECT id FROM orders").meta["yett/sql"] == {"rows": 9, "truncated": True}
    assert run(tool, "SELECT id FROM orders", max_rows=10).meta["yett/sql"] == {
        "rows": 10,
        "truncated": False,
    }
    with pytest.raises(jsonschema.ValidationError):
        run(tool, "SELECT 1", max_rows=11)


def test_bytes_over_the_limit_are_cut_and_said_so(file):
    whole = run(tool_for(file), "SELECT id FROM orders").content[0]["text"]
    size = len(whole.rpartition("\n")[0])
    assert run(tool_for(file, result_bytes=size), "SELECT id FROM orders").meta["yett/sql"]["rows"] == 10
    cut = run(tool_for(file, result_bytes=size - 1), "SELECT id FROM orders")
    assert cut.meta["yett/sql"] == {"rows": 9, "truncated": True}
    assert "cut after 9 rows" in cut.content[0]["text"]


def test_values_statements_and_columns_over_their_limits_are_errors(file):
    tool = tool_for(file, value_bytes=1000, columns=3)
    assert not run(tool, "SELECT length(printf('%900c', 'x'))").is_error
    assert run(tool, "SELECT length(replace(printf('%900c', 'x'), ' ', 'yy'))").is_error
    assert not run(tool, "SELECT 1, 2, 3").is_error
    assert run(tool, "SELECT 1, 2, 3, 4").is_error
    with pytest.raises(jsonschema.ValidationError):
        run(tool_for(file, sql_bytes=10), "SELECT 1234")


def test_an_endless_query_is_stopped_at_its_deadline(file):
    with pytest.raises(ExecutionTimeout):
        run(tool_for(file, timeout=0.2), ENDLESS)


def test_a_cancelled_query_stops_and_frees_its_place(file):
    tool = tool_for(file, timeout=60, concurrency=1)

    async def cancel_then_ask():
        with anyio.move_on_after(0.2):
            await tool.run(call_of(tool, {"database": "sales", "sql": ENDLESS}))
        with anyio.fail_after(5):
            return await tool.run(call_of(tool, {"database": "sales", "sql": "SELECT 1"}))

    assert not anyio.run(cancel_then_ask).is_error


def test_a_missing_file_is_an_error_and_is_not_made(tmp_path):
    tool = tool_for(tmp_path / "absent.db")
    assert run(tool, "SELECT 1").is_error
    assert not (tmp_path / "absent.db").exists()


def test_text_that_is_not_utf8_and_infinities_are_shown(file):
    result = run(tool_for(file), "SELECT CAST(x'ff41' AS TEXT) AS t, 9e999 AS i")
    assert rows(result)[1] == ["\ufffdA", "inf"]


@pytest.mark.parametrize(
    "databases",
    [
        {},
        {"sales": DatabaseSettings(url="sqlite:///x.db", mode="read-write")},
        {"sales": DatabaseSettings(url="postgresql://host/x")},
        {"sales": DatabaseSettings(url="sqlite:///")},
        {"sales": DatabaseSettings(url="x.db")},
    ],
)
def test_a_database_that_can_not_be_served_fails_at_start(databases):
    with pytest.raises(ConfigurationError):
        SqlQuery(databases)
