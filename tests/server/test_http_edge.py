# SPDX-License-Identifier: Apache-2.0
"""What stands in front of the HTTP transport: raw bytes, wrong names, wrong credentials; all recorded."""

import contextlib
import json
import socket

import pytest

from running import until

LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "raw", "version": "1"},
    },
}


def refusals(gate):
    return len(gate.records("refusal"))


def call(gate, path, **arguments):
    params = {"name": "http_request", "arguments": gate.fetching(path, **arguments)}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


MALFORMED = {
    "nothing": b"",
    "no JSON": b"{",
    "two values": b"{}{}",
    "a batch": b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]',
    "a text": b'"ping"',
    "NaN": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}',
    "an infinity": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1e999}}',
    "a key twice": b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}',
    "a key twice, escaped": b'{"jsonrpc":"2.0","id":1,"method":"ping","m\\u0065thod":"x"}',
    "a byte order mark": b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}',
    "UTF-16": '{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-16"),
    "broken UTF-8": b'{"jsonrpc":"2.0","id":1,"method":"ping\xff"}',
    "a lone surrogate": b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}',
    "a huge number": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":' + b"9" * 5000 + b"}}",
    "deep nesting": b'{"a":' * 100 + b"1" + b"}" * 100,
    "very deep nesting": b"[" * 100_000,
    "no message of JSON-RPC": b'{"hello":"there"}',
    "an older JSON-RPC": b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_body_that_is_no_message_is_refused_and_recorded(gate, what):
    before = refusals(gate)
    status, _, body = gate.post(MALFORMED[what])
    assert status == 400
    answer = json.loads(body)
    assert answer["error"]["code"] in {-32700, -32600, -32602}
    assert refusals(gate) == before + 1


def test_a_body_of_five_megabytes_is_refused_and_recorded(gate):
    before = refusals(gate)
    body = json.dumps(call(gate, "/server/big", body="x" * (5 << 20)))
    assert gate.post(body.encode())[0] == 413
    assert refusals(gate) == before + 1
    assert gate.witness.count("/server/big") == 0


def test_a_body_that_claims_to_be_endless_is_cut_at_the_limit(gate):
    """Chunked, without a length: the limit counts what came, not what was claimed."""
    with socket.create_connection(("127.0.0.1", gate.port), timeout=15) as link:
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {gate.tokens['research-1']}\r\n"
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        link.sendall(head.encode())
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        with pytest.raises(OSError):  # noqa: PT011, PT012  # the line is closed in mid-flood, or answered
            for _ in range(200):
                link.sendall(chunk)
            raise OSError
        with contextlib.suppress(ConnectionResetError):
            assert b" 413 " in link.recv(4096)


WRONG = {
    "another content type": ({"Content-Type": "text/plain"}, {400, 415}),
    "a form": ({"Content-Type": "application/x-www-form-urlencoded"}, {400, 415}),
    "a host that is not ours": ({"Host": "evil.example"}, {421}),
    "a host that ends like ours": ({"Host": "127.0.0.1.evil.example"}, {421}),
    "a page's origin": ({"Origin": "https://evil.example"}, {403}),
    "no origin at all": ({"Origin": "null"}, {403}),
    "an answer nobody could read": ({"Accept": "image/png"}, {406}),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_request_with_a_wrong_header_is_refused_and_recorded(gate, what):
    headers, statuses = WRONG[what]
    before = refusals(gate)
    status, _, _ = gate.post(json.dumps(call(gate, "/server/header")).encode(), headers=headers)
    assert status in statuses
    assert refusals(gate) == before + 1
    assert gate.witness.count("/server/header") == 0


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Basic eHg6eHg=",
        "bearer\twrong",
        "Bearer\u00a0x",
        "{token}",
    ],
)
def test_no_or_a_wrong_token_is_401_and_recorded(gate, authorization):
    if authorization == "{token}":
        authorization = gate.tokens["research-1"]  # without its scheme
    before = refusals(gate)
    status, headers, body = gate.post(
        json.dumps(LIST).encode(), token=None, headers={"Authorization": authorization}
    )
    assert status == 401
    assert headers["www-authenticate"].startswith("Bearer")
    assert b"tools" not in body
    assert refusals(gate) == before + 1


def test_two_credentials_are_none(gate):
    token = gate.tokens["research-1"]
    with socket.create_connection(("127.0.0.1", gate.port), timeout=15) as link:
        lines = [
            "POST /mcp HTTP/1.1",
            "Host: 127.0.0.1",
            "Content-Type: application/json",
            "Content-Length: 2",
        ]
        lines += ["Authorization: Bearer wrong", f"Authorization: Bearer {token}", "", "{}"]
        link.sendall("\r\n".join(lines).encode())
        assert b" 401 " in link.recv(4096)


def test_the_token_of_a_revoked_agent_is_401_at_once(gate):
    token = gate.ask("agents.add", name="research-2")
    assert gate.post(json.dumps(LIST).encode(), token=token)[0] != 401
    gate.ask("agents.suspend", name="research-2", suspended=True)
    assert gate.post(json.dumps(LIST).encode(), token=token)[0] == 401
    gate.ask("agents.suspend", name="research-2", suspended=False)
    assert gate.post(json.dumps(LIST).encode(), token=token)[0] != 401


def test_another_path_is_not_served_and_a_token_makes_no_difference(gate):
    for path in ("/", "/mcp/", "/mcp/../mcp", "/MCP", "/control", "/mcp%2f", "/.well-known/x"):
        for token in (None, ""):
            assert gate.post(b"{}", path=path, token=token)[0] == 404


def opened(gate, agent):
    status, headers, _ = gate.post(json.dumps(INITIALIZE).encode(), agent=agent)
    assert status == 200
    session = headers["mcp-session-id"]
    gate.post(
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        agent=agent,
        headers={"Mcp-Session-Id": session},
    )
    return session


def test_the_session_of_another_agent_is_not_there(gate):
    session = opened(gate, "research-1")
    theirs = {"Mcp-Session-Id": session}
    message = json.dumps(call(gate, "/server/stolen")).encode()
    assert gate.post(message, agent="research-2", headers=theirs)[0] == 404
    assert gate.post(None, agent="research-2", headers=theirs, method="DELETE")[0] == 404
    assert (
        gate.post(None, agent="research-2", headers=theirs | {"Accept": "text/event-stream"}, method="GET")[0]
        == 404
    )
    assert gate.witness.count("/server/stolen") == 0
    assert b"seen" in gate.post(message, headers=theirs)[2]  # it is still its owner's
    assert gate.post(message, headers={"Mcp-Session-Id": "0" * 32})[0] == 404


def test_each_call_of_a_session_is_identified_anew(gate):
    session = {"Mcp-Session-Id": opened(gate, "research-1")}
    assert gate.post(json.dumps(LIST).encode(), headers=session, token="wrong")[0] == 401
    assert gate.post(json.dumps(LIST).encode(), headers=session)[0] == 200


def test_forwarding_headers_are_not_believed(gate):
    forged = {"X-Forwarded-For": "10.9.8.7", "Forwarded": "for=10.9.8.7", "X-Real-IP": "10.9.8.7"}
    session = {"Mcp-Session-Id": opened(gate, "research-1")}
    assert gate.post(json.dumps(call(gate, "/server/forwarded")).encode(), headers=session | forged)[0] == 200
    (decision, *_) = gate.of_call("/server/forwarded")
    assert decision[1]["source_ip"] == "127.0.0.1"


@pytest.mark.anyio
async def test_a_slow_body_does_not_hold_up_others(gate):
    before = refusals(gate)
    with socket.create_connection(("127.0.0.1", gate.port), timeout=15) as link:
        head = (
            f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {gate.tokens['research-1']}\r\n"
        )
        link.sendall((head + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{").encode())
        async with gate.client() as client:
            assert not (await gate.fetch(client, "/server/others")).is_error
    await until(lambda: refusals(gate) == before + 1)
