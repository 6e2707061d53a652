# SPDX-License-Identifier: Apache-2.0
"""An agent on loopback says in a header that it comes from another address, which a rule trusts."""

import json

import pytest

from running import RunningGateway, by

FROM_INSIDE = {
    "id": "inside",
    "allow": "http_request",
    "to": "writer",
    "when": {**by("GET"), "source.ip": {"in": ["10.0.0.0/8"]}},
}
FORGED = [
    {"X-Forwarded-For": "10.9.8.7"},
    {"X-Forwarded-For": "10.9.8.7, 127.0.0.1"},
    {"Forwarded": "for=10.9.8.7"},
    {"X-Real-IP": "10.9.8.7"},
    {"X-Forwarded-For": "10.9.8.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "127.0.0.1"},
]


@pytest.fixture(scope="module")
def inside_only():
    with RunningGateway(rules=[FROM_INSIDE]) as gateway:
        yield gateway


@pytest.mark.parametrize("headers", FORGED)
def test_an_address_in_a_header_opens_nothing(inside_only, headers):
    initialize = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "raw", "version": "1"},
        },
    }
    _, answer, _ = inside_only.post(json.dumps(initialize).encode(), headers=headers)
    session = {"Mcp-Session-Id": answer["mcp-session-id"]}
    params = {"name": "http_request", "arguments": inside_only.fetching("/inside")}
    call = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}).encode()
    status, _, body = inside_only.post(call, headers=headers | session)
    assert status == 200
    assert b"gate.no-match" in body
    assert inside_only.witness.hits == []
    assert {fields["source_ip"] for _, _, fields in inside_only.records("decision")} == {"127.0.0.1"}
