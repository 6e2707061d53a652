# SPDX-License-Identifier: Apache-2.0
"""Facts: what the parsers find, and what they refuse to read."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_calls import call, closes, opens

from yett.policy.facts.hosts import canonical_host
from yett.policy.facts.table import facts_of
from yett.policy.settings import PolicySettings


def http(url: str, **more: str) -> dict[str, object]:
    return dict(facts_of("http_request", {"url": url, **more}))


def sql(text: str) -> dict[str, object]:
    return dict(facts_of("sql_query", {"sql": text}))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.1",
        "0X7F.1",
        "127.0.0.1.",
        "[::ffff:7f00:1]",
    ],
)
def test_every_spelling_of_an_address_is_one_address(host):
    assert http(f"http://{host}/")["http.host"] == "127.0.0.1"


@pytest.mark.parametrize("host", ["\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021"])
def test_wide_digits_and_dots_are_digits_and_dots(host):
    assert canonical_host(host) == "127.0.0.1"


@pytest.mark.parametrize(
    "url",
    [
        "https://user@acme.com/",
        "https://acme.com\\@evil.com/",
        "https://acme.com\t.evil.com/",
        "https://acme.com/a\\..\\b",
        "https://acme.com/a\nb",
        " https://acme.com/",
        "https:/acme.com/",
        "https:acme.com",
        "//acme.com/",
        "ftp://acme.com/",
        "file:///etc/passwd",
        "https://acme%2ecom/",
        "https:///acme.com",
        "https://acme.com:99999/",
        "https://acme.com:x/",
        "https://[::1/",
        "https://256.1.1.1/",
        "https://1.2.3.4.5/",
        "https://a..b/",
        "",
    ],
)
def test_a_url_that_parsers_disagree_on_has_no_facts(url):
    assert not [name for name in http(url) if name != "http.method"]
    assert not opens({"http.host": ["acme.com"]}, call("http_request", {"url": url}))
    assert closes({"http.host": ["nowhere.example"]}, call("http_request", {"url": url}))


def test_the_facts_of_a_url():
    assert http("HTTPS://Api.ACME.com./a/%2e%2e/b?x#y", method="post") == {
        "http.scheme": "https",
        "http.host": "api.acme.com",
        "http.port": 443,
        "http.path": "/b",
        "http.method": "POST",
    }
    assert http("http://[2001:DB8::1]:8080")["http.host"] == "2001:db8::1"
    assert http("http://acme.com:8080?x=/y")["http.port"] == 8080


@pytest.mark.parametrize("path", ["/a%2fb", "/a%5cb", "/a%25b", "/%ff"])
def test_a_path_whose_escapes_change_its_shape_is_unknown(path):
    found = http("https://acme.com" + path)
    assert found["http.host"] == "acme.com"
    assert "http.path" not in found


@pytest.mark.parametrize("path", ["/a%00", "/%252e%252e/b", "/%zz", "/%"])
def test_a_url_that_egress_would_not_send_has_no_facts(path):
    assert set(http("https://acme.com" + path)) <= {"http.method"}


def test_a_named_host_is_certainly_not_in_a_network():
    inside = {"http.host": {"in": ["169.254.0.0/16"]}}
    assert not closes(inside, call("http_request", {"url": "https://acme.com/"}))
    assert closes(inside, call("http_request", {"url": "http://0xa9fea9fe/latest"}))


def test_file_paths_are_normalised():
    assert facts_of("file_read", {"path": "/workspace//a/../b"}) == {"path": "/workspace/b"}
    assert facts_of("file_read", {"path": "b"}) == {}
    assert facts_of("some__tool", {"path": "/b"}) == {}


@pytest.mark.parametrize(
    ("text", "verbs", "tables"),
    [
        ("select * from Sales.Orders", ["select"], ["sales.orders"]),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", ["delete", "select"], ["t"]),
        ("select 1; drop table t", ["drop", "select"], ["t"]),
        ("select 1 -- ;\n; delete from t", ["delete", "select"], ["t"]),
        ("insert into t select * from u", ["insert", "select"], ["t", "u"]),
        ("insert into t values (1) on conflict do update set a = 1", ["insert", "update"], ["t"]),
        ("select * into z from t", ["create", "select"], ["t", "z"]),
        ("update t set a = (select b from c)", ["select", "update"], ["c", "t"]),
        ("truncate table t", ["truncate"], ["t"]),
        ("grant all on t to x", ["grant"], ["t"]),
        ("pragma writable_schema = 1", ["pragma"], []),
        ("attach 'f' as y", ["attach"], []),
        ("(select 1 from a) union select 2 from b", ["select"], ["a", "b"]),
        ("with t as (select * from t) select * from t", ["select"], ["t"]),
        ("with x as (select 1), y as (select * from x) select * from y", ["select"], []),
        ("with a as (select * from b), b as (select 1) select * from a", ["select"], ["b"]),
        ("with recursive r as (select 1 union select * from r) select * from r", ["select"], []),
        ("with t as (select 1) delete from t where id in (select * from t)", ["delete", "select"], ["t"]),
        ('select * from main."T x"', ["select"], ["main.t x"]),
    ],
)
def test_sql_is_read_at_every_depth(text, verbs, tables):
    found = sql(text)
    assert (found["sql.verbs"], found["sql.tables"]) == (verbs, tables)


@pytest.mark.parametrize(
    "text",
    [
        "explain delete from t",
        "vacuum into 'x'",
        "replace into t values (1)",
        "create trigger a after insert on t begin delete from t; end",
        "select 1; vacuum into 'x'",
        "select /*!50000 sleep(9) */ 1",
        "reindex t",
        "savepoint x",
        "call foo()",
        "select from where",
        "",
        ";",
        "(" * 5000 + "1" + ")" * 5000,
        "select 1\0",
        "select * from t where x in u",
        "select * from t where (x, y) not in hr.u",
        "select * from t where x in f('y')",
        'select * from "sales.orders"',
    ],
)
def test_sql_that_can_not_be_read_has_no_facts(text):
    assert sql(text) == {}


def test_tables_are_named_with_the_database_that_the_call_names():
    def tables(text: str, database: object) -> object:
        return facts_of("sql_query", {"sql": text, "database": database}).get("sql.tables")

    assert tables("select * from Orders, main.items, temp.x", "Sales") == [
        "sales.items",
        "sales.orders",
        "temp.x",
    ]
    assert tables("select * from orders", None) == ["orders"]
    assert tables("select * from orders, pragma_table_info('x')", "a.b") == ["orders", "pragma_table_info"]


def test_a_table_without_a_dot_is_that_table_in_any_database():
    hr = call("sql_query", {"sql": "select * from salaries", "database": "hr"})
    assert closes({"sql.tables": {"any_of": ["Salaries"]}}, hr)
    assert closes({"sql.tables": {"any_of": ["hr.*"]}}, hr)
    assert not opens({"sql.tables": {"subset_of": ["sales.*", "orders"]}}, hr)


def test_function_names_are_those_that_were_written():
    found = sql(
        "select ifnull(a, 1), LOAD_extension('x'), \"writefile\"('y', 1), count(*) from t where a and b"
    )
    assert found["sql.functions"] == ["count", "ifnull", "load_extension", "writefile"]


def test_statements_are_counted():
    assert sql("select 1")["sql.statements"] == 1
    assert sql("select 1; select 2;")["sql.statements"] == 2


def test_limits_of_reading_refuse_the_first_value_beyond_them():
    limits = PolicySettings(max_sql=8, max_url=13, max_path=2)
    assert facts_of("sql_query", {"sql": "select 1"}, limits)
    assert not facts_of("sql_query", {"sql": "select 12"}, limits)
    assert "http.host" in facts_of("http_request", {"url": "http://acme.x"}, limits)
    assert "http.host" not in facts_of("http_request", {"url": "http://acme.xy"}, limits)
    assert facts_of("file_read", {"path": "/a"}, limits)
    assert not facts_of("file_read", {"path": "/ab"}, limits)


def test_nothing_of_a_statement_is_logged(caplog):
    caplog.set_level(logging.DEBUG)
    sql("explain select 'secret'")
    closes({"sql.verbs": {"any_of": ["drop"]}}, call("sql_query", {"sql": "call secret()"}))
    assert not caplog.records


@given(st.text())
def test_parsers_are_total(text):
    facts_of("sql_query", {"sql": text[:80]})
    facts_of("http_request", {"url": "https://" + text})
    facts_of("file_read", {"path": text})


@given(st.integers(0, 2**32 - 1))
def test_numbers_as_hosts_are_addresses(number):
    import ipaddress

    expected = str(ipaddress.IPv4Address(number))
    assert canonical_host(str(number)) == canonical_host(hex(number)) == expected
