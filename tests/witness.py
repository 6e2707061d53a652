# SPDX-License-Identifier: Apache-2.0
"""An HTTP server on loopback that keeps every request it gets: what it has not seen did not run."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Witness:
    """A server that answers every request and remembers it.

    A path with `slow` in it waits for `let_go`; `/to/X` redirects to `/X`; `answer` is the body.
    """

    def __init__(self):
        self.hits = []
        self.headers = []
        self.let_go = threading.Event()
        self.answer = b"seen"
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                witness.hits.append(self.path)
                witness.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.rfile.read(int(self.headers.get("content-length") or 0))
                if "/slow" in self.path:
                    witness.let_go.wait(20)
                body = witness.answer
                try:
                    self.send_response(302 if self.path.startswith("/to/") else 200)
                    if self.path.startswith("/to/"):
                        self.send_header("location", self.path[3:])
                    self.send_header("content-length", str(len(body)))
                    self.send_header("content-type", "text/plain")
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass

            do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815  # the names that http.server calls

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self):
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def count(self, path):
        return self.hits.count(path)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
