# SPDX-License-Identifier: Apache-2.0
"""A model that follows a script: an OpenAI-compatible chat endpoint on loopback, standard library only.

It answers a turn's first request with the script's first step, the next with the second, and so on, and
keeps every request, so that a test can look at exactly what an agent's model was given.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Call:
    """A step: call a tool."""

    tool: str
    arguments: dict[str, object]


@dataclass(frozen=True)
class Say:
    """A step: end the turn with these words."""

    text: str


@dataclass
class ScriptedModel:
    """The script of the turn to come, and the requests that it was asked."""

    script: Sequence[Call | Say] = ()
    requests: list[dict] = field(default_factory=list)
    port: int = 0

    def play(self, *script: Call | Say) -> None:
        """Set the script of the next turn and forget the requests of the last."""
        self.script, self.requests = script, []

    @property
    def tools(self) -> list[str]:
        """The names of the tools that the turn's last request offered."""
        return [tool["function"]["name"] for tool in self.requests[-1].get("tools", ())]

    @property
    def tool_messages(self) -> list[str]:
        """The texts of the tool results that the turn's last request carried, oldest first."""
        return [_text(m) for m in _since_user(self.requests[-1]) if m["role"] == "tool"]

    def answer(self, request: dict) -> tuple[dict, str]:
        """The delta and the finish reason that answer a request. A repeated request gets the same answer."""
        self.requests.append(request)
        taken = sum(m["role"] == "assistant" for m in _since_user(request))
        step = self.script[min(taken, len(self.script) - 1)]
        if isinstance(step, Say):
            return {"role": "assistant", "content": step.text}, "stop"
        function = {"name": step.tool, "arguments": json.dumps(step.arguments)}
        call = {"index": 0, "id": f"call_{taken}", "type": "function", "function": function}
        return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"


@contextmanager
def scripted_model() -> Iterator[ScriptedModel]:
    """A model that listens on `port` until the block ends."""
    model = ScriptedModel()
    handler = type("Handler", (_Handler,), {"model": model})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    model.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _since_user(request: dict) -> list[dict]:
    """The messages after the last one of the user."""
    messages = request["messages"]
    last = max((i for i, message in enumerate(messages) if message["role"] == "user"), default=-1)
    return messages[last + 1 :]


def _text(message: dict) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


class _Handler(BaseHTTPRequestHandler):
    model: ScriptedModel

    def do_GET(self) -> None:
        self._send("application/json", b'{"object": "list", "data": [{"id": "scripted", "object": "model"}]}')

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers.get("content-length", "0"))))
        delta, finish = self.model.answer(request)
        base = {"id": "chatcmpl-scripted", "created": 0, "model": "scripted"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        if not request.get("stream"):
            choice = {"index": 0, "message": delta, "finish_reason": finish}
            whole = {**base, "object": "chat.completion", "choices": [choice], "usage": usage}
            self._send("application/json", json.dumps(whole).encode())
            return
        chunk = {**base, "object": "chat.completion.chunk"}
        chunks = [
            {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
            {**chunk, "choices": [], "usage": usage},
        ]
        lines = [json.dumps(value) for value in chunks] + ["[DONE]"]
        self._send("text/event-stream", "".join(f"data: {line}\n\n" for line in lines).encode())

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay quiet."""
