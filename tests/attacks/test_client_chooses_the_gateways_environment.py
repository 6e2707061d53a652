# SPDX-License-Identifier: Apache-2.0
"""A client that happens to start the shared gateway chooses its libraries or its certificate authorities."""

from __future__ import annotations

import subprocess
import sys

from running import RunningGateway

FORBIDDEN = {
    "SSL_CERT_FILE": "/tmp/theirs.pem",
    "SSL_CERT_DIR": "/tmp/theirs",
    "LD_LIBRARY_PATH": "/tmp/theirs",
    "OPENSSL_CONF": "/tmp/theirs.cnf",
    "PYTHONSTARTUP": "/tmp/theirs.py",
    "GLIBC_TUNABLES": "glibc.malloc.check=1",
}
CLIENT = """
import socket, struct, sys
from yett import shim
with shim.open_line(sys.argv[1], sys.argv[2]) as link:
    pid, _, _ = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
print(open(f"/proc/{pid}/environ").read())
"""


def test_the_gateway_that_a_shim_starts_has_none_of_it():
    with RunningGateway(start=False) as gateway:
        done = subprocess.run(
            [sys.executable, "-c", CLIENT, str(gateway.state / "gateway.sock"), str(gateway.path)],
            capture_output=True,
            text=True,
            timeout=60,
            env=gateway.environment() | FORBIDDEN,
        )
        assert done.returncode == 0, done.stderr
        gateway.ask("stop")
    environment = dict(entry.partition("=")[::2] for entry in done.stdout.strip().split("\0") if entry)
    assert not environment.keys() & FORBIDDEN.keys()
    assert environment["YETT_SECRET_SITE"]
