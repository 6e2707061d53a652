# SPDX-License-Identifier: Apache-2.0
"""Attack: SQL that begins with SELECT, or looks like it, and does something else."""

from __future__ import annotations

import pytest

from yett.action import Action, Effect, Kind, Principal, ToolDefinition
from yett.policy.compiler import compile_policy
from yett.policy.source import AgentSpec, PolicySource

POLICY = compile_policy(
    PolicySource(
        agents={"a": AgentSpec()},
        rules=(
            {
                "id": "select",
                "allow": "sql_query",
                "to": "*",
                "when": {
                    "sql.verbs": {"subset_of": ["select"]},
                    "sql.tables": {"subset_of": ["sales.*"]},
                    "sql.statements": 1,
                },
            },
            {
                "id": "files",
                "deny": "sql_query",
                "to": "*",
                "when": {"sql.functions": {"any_of": ["load_extension", "readfile", "writefile", "edit"]}},
            },
        ),
    )
)


def effect(sql: str) -> Effect:
    action = Action(
        id="x",
        kind=Kind.TOOL,
        tool=ToolDefinition(name="sql_query", description="", input_schema={}),
        arguments={"sql": sql},
        principal=Principal(agent="a", id="a"),
        received_at=0.0,
    )
    return POLICY.decide(action).effect


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM sales.orders",
        "with x as (select * from sales.orders) select count(*) from x",
        "select * from sales.a join sales.b on a.id = b.id where a.name = 'drop table x; --'",
    ],
)
def test_plain_selects_are_allowed(sql):
    assert effect(sql) is Effect.ALLOW


@pytest.mark.parametrize(
    "sql",
    [
        "WITH x AS (DELETE FROM sales.orders RETURNING *) SELECT * FROM x",
        "SELECT 1 FROM sales.a; DROP TABLE sales.a",
        "SELECT 1 FROM sales.a -- \n; DROP TABLE sales.a",
        "SELECT 1 FROM sales.a /* ; */ ; DELETE FROM sales.a",
        "SELECT 1 FROM sales.a /*!50000 UNION SELECT * FROM hr.pay */",
        "SELECT * INTO sales.copy FROM sales.orders",
        "SELECT * FROM hr.salaries",
        "SELECT * FROM sales.a WHERE x IN salaries",
        "SELECT * FROM sales.a WHERE x NOT IN hr.salaries",
        'SELECT * FROM "sales.orders"',
        "SELECT * FROM sales.a, pragma_table_info('salaries')",
        "SELECT * FROM sales.a UNION SELECT * FROM hr.salaries",
        "SELECT (SELECT max(pay) FROM hr.salaries) FROM sales.a",
        "SELECT * FROM sales.a WHERE EXISTS (SELECT 1 FROM sqlite_master)",
        "WITH salaries AS (SELECT 1) SELECT * FROM hr.salaries",
        "WITH a AS (SELECT * FROM a) SELECT * FROM a",
        "SELECT load_extension('/tmp/x.so') FROM sales.a",
        "SELECT \"load_extension\"('/tmp/x.so') FROM sales.a",
        "SELECT [readfile]('/etc/passwd') FROM sales.a",
        "SELECT /**/WriteFile/**/('/tmp/x', 1) FROM sales.a",
        "EXPLAIN SELECT * FROM sales.a",
        "PRAGMA writable_schema = 1",
        "ATTACH 'other.db' AS sales",
        "VACUUM INTO '/tmp/copy.db'",
        "SELECT 1",
        "",
    ],
)
def test_everything_else_is_denied(sql):
    assert effect(sql) is Effect.DENY
