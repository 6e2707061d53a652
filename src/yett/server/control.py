# SPDX-License-Identifier: Apache-2.0
"""The operator's line to a running gateway: one JSON request and one answer a connection.

It listens on a unix socket in the state folder (mode 0600) and checks the peer's user on accept, so it
serves the user that runs the gateway, and root. What a verb does is the composition root's business.
Never reachable by an agent: no transport of MCP leads here.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import anyio
from anyio.abc import SocketAttribute, SocketStream

from yett.action import JsonObject, JsonValue
from yett.errors import BadRequest, YettError
from yett.server.lines import LineReader
from yett.server.strict_json import parse_strict_object


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """Who is on the other end, as the kernel says."""

    uid: int
    name: str


Verb = Callable[[JsonObject, Operator], Awaitable[JsonValue]]

MAX_REQUEST = 1 << 20
REQUEST_DEADLINE = 10.0
ANSWER_DEADLINE = 5.0


class ControlEdge:
    """Serves verbs."""

    def __init__(self, verbs: Mapping[str, Verb]) -> None:
        self._verbs = verbs

    async def serve(self, stream: SocketStream) -> None:
        """Answer one request."""
        async with stream:
            operator = _peer(stream)
            if operator.uid not in {os.geteuid(), 0}:
                return
            try:
                with anyio.fail_after(REQUEST_DEADLINE):
                    line = await LineReader(stream, MAX_REQUEST).line()
                request = parse_strict_object(line or b"")
                verb = self._verbs.get(str(request.get("verb")))
                if verb is None:
                    raise BadRequest(
                        f"this gateway knows no {request.get('verb')!r}; is it an older version?"
                    )
                answer: JsonObject = {"ok": True, "value": await verb(request, operator)}
            except YettError as error:
                answer = {"ok": False, "error": str(error), "advice": error.advice()}
            except TimeoutError:
                return
            # Shielded, because the verb may have been `stop`: the operator is told that it was heard.
            with anyio.move_on_after(ANSWER_DEADLINE, shield=True):
                await stream.send(json.dumps(answer).encode() + b"\n")


def _peer(stream: SocketStream) -> Operator:
    raw: socket.socket = stream.extra_attributes[SocketAttribute.raw_socket]()
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return Operator(uid=uid, name=name)
