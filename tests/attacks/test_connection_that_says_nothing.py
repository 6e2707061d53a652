# SPDX-License-Identifier: Apache-2.0
"""A connection that never sends a request is hung up on, or a thousand of them would shut the others out."""

import socket

from yett.server.http import FIRST_REQUEST_DEADLINE


def test_a_silent_connection_is_closed_by_the_gate(gate):
    with socket.create_connection(("127.0.0.1", gate.port)) as link:
        link.settimeout(FIRST_REQUEST_DEADLINE + 10)
        assert link.recv(1) == b""
    assert gate.post(b'{"jsonrpc": "2.0", "id": 1}')[0] < 500
