# SPDX-License-Identifier: Apache-2.0
"""SQL that tries to write, to open other files, to load code, or to eat the machine."""

from __future__ import annotations

import hashlib
import sqlite3
import sys
from pathlib import Path

import anyio
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from http_calls import call_of

from yett.errors import ExecutionTimeout
from yett.tools.sql_query import DatabaseSettings, SqlLimits, SqlQuery

REFUSED = [
    "DROP TABLE t",
    "DELETE FROM t",
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET v = 1",
    "WITH x AS (SELECT 1) DELETE FROM t",
    "REPLACE INTO t VALUES (1)",
    "CREATE TABLE u (v)",
    "CREATE TEMP TABLE u (v)",
    "CREATE TEMP VIEW u AS SELECT 1",
    "ALTER TABLE t RENAME TO u",
    "ATTACH DATABASE '{other}' AS o",
    "DETACH DATABASE main",
    "VACUUM INTO '{other}.copy'",
    "VACUUM",
    "REINDEX",
    "ANALYZE",
    "PRAGMA query_only=OFF",
    "PRAGMA writable_schema=ON",
    "PRAGMA database_list",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_table_info('t')",
    "SELECT load_extension('/tmp/x.so')",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('{other}', 'x')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT randomblob(10)",
    "SELECT zeroblob(10)",
    "SELECT sqlite_compileoption_get(1)",
    "CREATE VIRTUAL TABLE u USING fts5(v)",
    "BEGIN IMMEDIATE",
    "SAVEPOINT s",
    "COMMIT",
    "SELECT 1; DROP TABLE t",
    "SELECT 1; SELECT 2",
    "",
    ";",
    "-- nothing",
    "SELECT * FROM evil",
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "t.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (v)")
        db.execute("INSERT INTO t VALUES (7)")
        db.execute("CREATE VIEW evil AS SELECT load_extension('/tmp/x.so')")
    db.close()
    return path


def ask(file, sql, **limits):
    tool = SqlQuery({"t": DatabaseSettings(url=f"sqlite:///{file}")}, SqlLimits(**limits))
    return anyio.run(tool.run, call_of(tool, {"database": "t", "sql": sql}))


@pytest.mark.parametrize("sql", REFUSED)
def test_a_statement_that_is_not_reading_fails_and_changes_nothing(file, sql, tmp_path):
    other = tmp_path / "other.db"
    before = hashlib.sha256(file.read_bytes()).digest()
    result = ask(file, sql.format(other=other))
    assert result.is_error
    assert hashlib.sha256(file.read_bytes()).digest() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.db"]
    assert "7" in ask(file, "SELECT v FROM t").content[0]["text"]


def test_a_path_with_uri_parameters_does_not_open_the_file_for_writing(tmp_path):
    path = tmp_path / "x.db?mode=rwc"
    assert ask(path, "SELECT 1").is_error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        (
            "WITH n(i) AS (SELECT value FROM json_each('[1,2,3,4,5,6,7,8,9,0]')) SELECT count(*) "
            "FROM n a, n b, n c, n d, n e, n f, n g, n h, n i, n j"
        ),
    ],
)
def test_a_query_that_never_ends_is_stopped(file, sql):
    with pytest.raises(ExecutionTimeout):
        ask(file, sql, timeout=0.2)


def test_a_value_that_grows_without_end_is_stopped(file):
    grow = "WITH RECURSIVE n(v) AS (SELECT 'x' UNION ALL SELECT v || v FROM n) SELECT length(v) FROM n"
    result = ask(file, grow)
    assert result.is_error
    assert "too big" in result.content[0]["text"]
