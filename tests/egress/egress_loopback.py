# SPDX-License-Identifier: Apache-2.0
"""Real HTTP servers on loopback, plain and TLS, and the certificates for them."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from yett.action import Principal

AGENT = Principal(agent="research-1", id="spiffe://acme/agent/research-1", roles=frozenset({"analyst"}))


class Seen(NamedTuple):
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Server:
    """Answers by `answers[path]` = (status, headers, body) and keeps what it saw."""

    def __init__(self):
        self.seen: list[Seen] = []
        self.answers: dict[str, tuple[int, list[tuple[str, str]], bytes]] = {}
        self.names: list[str] = []
        self.hold = threading.Event()
        self.hold.set()
        self.port = 0

    @property
    def last(self):
        return self.seen[-1]


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        def handle_any(self):
            length = int(self.headers.get("Content-Length", 0))
            server.seen.append(
                Seen(self.command, self.path, list(self.headers.items()), self.rfile.read(length))
            )
            server.hold.wait(10)
            status, headers, body = server.answers.get(
                self.path.partition("?")[0], (200, [("Content-Type", "text/plain")], b"hello")
            )
            try:
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                if not any(name.lower() == "content-length" for name, _ in headers):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, *args):
            pass

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        setattr(Handler, f"do_{method}", Handler.handle_any)
    return Handler


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # a refused handshake is what some tests are about


@contextmanager
def serving(tls: ssl.SSLContext | None = None):
    server = Server()
    listener = _Quiet(("127.0.0.1", 0), _handler(server))
    listener.daemon_threads = True
    server.port = listener.server_address[1]
    if tls is not None:
        tls.sni_callback = lambda _s, name, _c: server.names.append(name)
        listener.socket = tls.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.hold.set()
        listener.shutdown()
        listener.server_close()
        thread.join(5)


def certificate(folder, *names):
    """A CA file and a server context whose certificate is for `names`."""
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test ca")])
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def builder(public, name="test ca"):
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )

    ca = (
        builder(ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=False, key_encipherment=False,
                data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
                encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
        .sign(ca_key, hashes.SHA256())
    )  # fmt: skip
    alternatives = [x509.IPAddress(ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
    signed = (
        builder(key.public_key(), "leaf")
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    pem = folder / "leaf.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return str(ca_file), context


def answering(**names):
    """A resolver that knows `names` (underscores are dots) and counts its questions."""
    asked: list[str] = []

    async def resolve(host, port):
        asked.append(host)
        return tuple(names[host.replace(".", "_")])

    resolve.asked = asked
    return resolve
