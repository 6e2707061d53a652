# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import anyio
import jsonschema
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from http_calls import AGENT, DecidingGate, call_of, serving

from yett.action import Kind, Reply, Transport
from yett.egress.outbound import Egress
from yett.egress.settings import EgressRule, EgressSettings
from yett.errors import EgressRefused
from yett.tools.http_request import HttpRequestSettings, HttpRequestTool


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture
def elsewhere():
    with serving() as running:
        yield running


def tool_for(*servers, gate=None, settings=None):
    gate = gate or DecidingGate()
    rules = tuple(EgressRule(host=f"127.0.0.1:{server.port}") for server in servers)
    gate.tool = HttpRequestTool(Egress(EgressSettings(allow=rules)), lambda: gate, settings)
    return gate.tool, gate


def run(tool, **arguments):
    jsonschema.validate(arguments, tool.definition.input_schema)
    return anyio.run(tool.run, call_of(tool, arguments))


def url(server, path="/"):
    return f"http://127.0.0.1:{server.port}{path}"


def test_a_response_is_shown_as_status_headers_and_text(server):
    server.answers["/a"] = (
        404,
        [("Content-Type", "text/plain; charset=latin-1"), ("ETag", "x"), ("Set-Cookie", "s=1")],
        b"gr\xfc\xdfe",
    )
    tool, _ = tool_for(server)
    result = run(tool, url=url(server, "/a"))
    text = result.content[0]["text"]
    assert text.startswith("HTTP 404 Not Found\n")
    assert "etag: x" in text
    assert "s=1" not in text
    assert not result.is_error
    assert result.meta["yett/http"] == {"status": 404, "url": url(server, "/a"), "truncated": False}


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("application/json", '{"a":"ä"}'.encode(), '{"a":"ä"}'),
        ("application/problem+json", b"{}", "{}"),
        ("text/html; charset=windows-1252", b"\x80", "€"),
        ("text/plain; charset=unicode_escape", b"\\x41", "\\x41"),
        ("text/plain", b"\xff", "\ufffd"),
        ("application/octet-stream", b"plain", "plain"),
        ("application/octet-stream", b"\x00\x01", None),
        ("image/png", b"\x89PNG", None),
    ],
)
def test_text_is_decoded_and_bytes_become_a_blob(server, content_type, body, text):
    server.answers["/t"] = (200, [("Content-Type", content_type)], body)
    tool, _ = tool_for(server)
    result = run(tool, url=url(server, "/t"))
    if text is None:
        assert base64.b64decode(result.content[1]["resource"]["blob"]) == body
    else:
        assert result.content[0]["text"].endswith("\n\n" + text)


def test_a_json_body_is_sent_as_json(server):
    tool, _ = tool_for(server)
    run(tool, url=url(server), method="POST", json={"a": "ä"})
    assert json.loads(server.last.body) == {"a": "ä"}
    assert server.last.header("content-type") == ["application/json"]


def test_body_and_json_together_are_an_error_and_nothing_is_sent(server):
    tool, _ = tool_for(server)
    assert run(tool, url=url(server), method="POST", json={}, body="x").is_error
    assert server.seen == []


def test_each_redirect_is_an_action_of_its_own(server):
    server.answers["/1"] = (302, [("Location", "/2")], b"")
    server.answers["/2"] = (302, [("Location", "3#part")], b"")
    tool, gate = tool_for(server)
    result = run(tool, url=url(server, "/1"), headers={"X-Mine": "1"})
    assert result.meta["yett/http"]["url"] == url(server, "/3")
    first, second = gate.requests
    assert (first.kind, first.name, first.parent, first.principal) == (
        Kind.TOOL,
        "http_request",
        "act-1",
        AGENT,
    )
    assert first.arrival.transport is Transport.INTERNAL
    assert first.arguments == {
        "url": url(server, "/2"), "method": "GET", "headers": {"X-Mine": "1"}, "max_redirects": 4,
    }  # fmt: skip
    assert second.parent == "act-2"
    assert second.arguments["max_redirects"] == 3
    for request in gate.requests:
        jsonschema.validate(request.arguments, tool.definition.input_schema)


def test_redirects_end_where_the_call_says(server):
    server.answers["/loop"] = (302, [("Location", "/loop")], b"")
    tool, gate = tool_for(server)
    result = run(tool, url=url(server, "/loop"), max_redirects=2)
    assert result.meta["yett/http"]["status"] == 302
    assert "location: /loop" in result.content[0]["text"]
    assert len(gate.requests) == 2
    assert run(tool, url=url(server, "/loop"), max_redirects=0).meta["yett/http"]["status"] == 302
    assert len(gate.requests) == 2


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        (301, "POST", "GET", b""),
        (302, "POST", "GET", b""),
        (303, "PUT", "GET", b""),
        (302, "PUT", "PUT", b"data"),
        (307, "POST", "POST", b"data"),
        (308, "DELETE", "DELETE", b"data"),
    ],
)
def test_the_next_method_is_the_one_of_the_fetch_standard(server, status, method, then, body):
    server.answers["/r"] = (status, [("Location", "/next")], b"")
    tool, _ = tool_for(server)
    run(tool, url=url(server, "/r"), method=method, body="data", headers={"Content-Type": "text/x"})
    assert (server.last.method, server.last.body) == (then, body)
    assert server.last.header("content-type") == (["text/x"] if body else [])


def test_headers_do_not_go_on_to_another_origin(server, elsewhere):
    server.answers["/r"] = (302, [("Location", url(elsewhere))], b"")
    tool, _ = tool_for(server, elsewhere)
    run(tool, url=url(server, "/r"), headers={"Authorization": "mine", "X-Api-Key": "k", "Accept": "a/b"})
    assert elsewhere.last.header("authorization") == []
    assert elsewhere.last.header("x-api-key") == []
    assert elsewhere.last.header("accept") == ["a/b"]


def test_a_denied_hop_is_the_result(server):
    server.answers["/r"] = (302, [("Location", "/denied")], b"")
    tool, _ = tool_for(server, gate=DecidingGate(url(server, "/denied")))
    result = run(tool, url=url(server, "/r"))
    assert result.is_error
    assert result.content[0]["text"] == "Denied by rule no-such-host."
    assert [seen.target for seen in server.seen] == ["/r"]


def test_a_hop_that_needs_a_question_is_told_and_not_followed(server):
    class Asking(DecidingGate):
        async def pass_(self, request, dialogue=None):
            return Reply()

    server.answers["/r"] = (302, [("Location", "/asked")], b"")
    tool, _ = tool_for(server, gate=Asking())
    result = run(tool, url=url(server, "/r"))
    assert result.is_error
    assert "/asked" in result.content[0]["text"]


def test_a_location_that_is_no_url_is_an_error(server):
    server.answers["/r"] = (302, [("Location", "http://[oops/")], b"")
    tool, gate = tool_for(server)
    assert run(tool, url=url(server, "/r")).is_error
    assert gate.requests == []


def test_a_long_body_is_cut_and_says_so(server):
    server.answers["/b"] = (200, [("Content-Type", "text/plain")], b"x" * 20)
    tool, _ = tool_for(server, settings=HttpRequestSettings(response_bytes=19))
    result = run(tool, url=url(server, "/b"))
    assert "first 19 bytes" in result.content[0]["text"]
    assert result.meta["yett/http"]["truncated"] is True


def test_a_refusal_of_egress_reaches_the_pipeline(server):
    tool, _ = tool_for()
    with pytest.raises(EgressRefused):
        run(tool, url=url(server))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"url": "https://a.example", "method": "TRACE"},
        {"url": "https://a.example", "timeout": 0},
        {"url": "https://a.example", "timeout": 60.1},
        {"url": "https://a.example", "max_redirects": 11},
        {"url": "https://a.example", "headers": {"a": 1}},
        {"url": "https://a.example", "verify": False},
    ],
)
def test_arguments_outside_the_schema_do_not_fit(arguments):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(arguments, tool_for()[0].definition.input_schema)
