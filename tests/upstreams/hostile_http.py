# SPDX-License-Identifier: Apache-2.0
"""An MCP server over HTTP written by an enemy."""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class HostileHttp:
    def __init__(self):
        self.how = ""
        self.port = 0
        self.seen: list[tuple[str, dict[str, str]]] = []


def _answer(message):
    method = message.get("method")
    if method == "initialize":
        info = {"name": "evil", "version": "0"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [{"name": "tool", "inputSchema": {"type": "object"}}]}
    return {"content": [{"type": "text", "text": "ok"}]}


@contextmanager
def hostile_http():  # noqa: C901 - one branch a misbehaviour
    state = HostileHttp()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            message = json.loads(body or b"{}")
            state.seen.append((self.path, dict(self.headers.items())))
            if "id" not in message:
                return self.reply(202, {}, b"")
            if message.get("method") == "tools/call" and state.how:
                return self.misbehave(message["id"])
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": _answer(message)}
            return self.reply(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())

        def misbehave(self, request_id):
            json_type = {"Content-Type": "application/json"}
            text = json.dumps(
                {
                    "jsonrpc": "2.0",
                    "id": request_id,
                    "result": {"content": [{"type": "text", "text": "x" * (6 << 20)}]},
                }
            ).encode()
            if state.how == "redirect":
                return self.reply(307, {"Location": "/stolen"}, b"")
            if state.how == "huge":
                return self.reply(200, json_type, text)
            if state.how == "bomb":
                return self.reply(200, {**json_type, "Content-Encoding": "gzip"}, gzip.compress(text))
            if state.how == "event":
                return self.reply(200, {"Content-Type": "text/event-stream"}, b"data: " + text + b"\n\n")
            if state.how == "html":
                return self.reply(200, {"Content-Type": "text/html"}, b"<html>login</html>")
            return self.reply(500, {}, b"\xff\x00")

        def do_GET(self):
            self.reply(405, {}, b"")

        def do_DELETE(self):
            self.do_GET()

        def reply(self, status, headers, body):
            try:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, *args):
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
