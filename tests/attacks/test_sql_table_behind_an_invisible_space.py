# SPDX-License-Identifier: Apache-2.0
"""U+FEFF is a space to SQLite and part of a name to the policy's parser: a denied table gets another name.

Every query that SQLite runs is compared with what the facts say it reads, for odd characters in each place.
"""

from __future__ import annotations

import sqlite3

import pytest

from yett.action import Action, Effect, Kind, Principal, ToolDefinition
from yett.policy.compiler import compile_policy
from yett.policy.facts.sql import read_sql
from yett.policy.source import AgentSpec, PolicySource

ODD = [chr(c) for c in (*range(1, 0x100), 0x1680, *range(0x2000, 0x2070), 0x3000, 0xFE0F, 0xFEFF, 0xFFFD)]
PLACES = (
    "SELECT * FROM {0}salaries",
    "SELECT * FROM{0}salaries",
    "SELECT * FROM salaries{0}",
    "SELECT * FROM ok,{0}salaries",
    "SELECT * FROM main.{0}salaries",
    "SELECT {0}hex(x) FROM ok",
    "SELECT hex{0}(x) FROM ok",
    "SELECT '{0}', x FROM salaries",
    "SELECT 1--{0}, x FROM ok\n FROM salaries",
    "SELECT * FROM ok --{0} , salaries",
)


@pytest.fixture(scope="module")
def database():
    connection = sqlite3.connect(":memory:")
    connection.executescript("CREATE TABLE salaries(x); CREATE TABLE ok(x)")
    yield connection
    connection.close()


@pytest.mark.parametrize("place", PLACES)
def test_the_facts_name_every_table_and_function_that_sqlite_uses(database, place):
    used = set()

    def watch(action, first, second, *_):
        if action == sqlite3.SQLITE_READ:
            used.add(f"sales.{first}")
        if action == sqlite3.SQLITE_FUNCTION:
            used.add(second)
        return sqlite3.SQLITE_OK

    database.set_authorizer(watch)
    for character in ODD:
        sql = place.format(character)
        used.clear()
        try:
            database.execute(sql, [1] * sql.count("?")).fetchall()
        except sqlite3.Error:
            continue
        facts = read_sql(sql, 65_536, "sales")
        assert facts is None or used <= facts.tables | facts.functions, f"U+{ord(character):04X}"
    database.set_authorizer(None)


def test_a_rule_that_denies_a_table_denies_it_behind_a_byte_order_mark():
    policy = compile_policy(
        PolicySource(
            agents={"a": AgentSpec()},
            rules=(
                {"id": "read", "allow": "sql_query", "to": "*"},
                {
                    "id": "no-pay",
                    "deny": "sql_query",
                    "to": "*",
                    "when": {"sql.tables": {"any_of": ["salaries"]}},
                },
            ),
        )
    )
    action = Action(
        id="act-1",
        kind=Kind.TOOL,
        tool=ToolDefinition(name="sql_query", description="", input_schema={}),
        arguments={"database": "sales", "sql": "SELECT * FROM \ufeffsalaries"},
        principal=Principal(agent="a", id="spiffe://t/agent/a"),
        received_at=0.0,
    )
    verdict = policy.decide(action)
    assert (verdict.effect, verdict.rule) == (Effect.DENY, "no-pay")
