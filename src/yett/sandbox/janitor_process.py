# SPDX-License-Identifier: Apache-2.0
"""Runs beside a gateway and removes its containers when it dies: ENGINE LABEL, the gateway's pipe as input.

A container whose gateway dies ends by itself, but one that was created and not started yet would stay for
ever. Run by its path with nothing but the standard library, so that it is small, and waits without work.
A byte on the pipe says that the gateway has cleaned up; an end without one, that it is dead.
"""

import os
import signal
import sys

SECONDS = 10.0
"""How long an engine is given that may still be making what the dead gateway asked for."""
PAUSE = 0.2


def main(engine: str, label: str) -> None:
    """Wait for the gateway's end and clean up after it."""
    for number in (signal.SIGINT, signal.SIGHUP):  # a terminal's, meant for the gateway
        signal.signal(number, signal.SIG_IGN)
    if os.read(0, 1):
        return
    import time  # noqa: PLC0415 - and all below: no memory for it while the gateway lives

    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        try:
            for container in containers(engine, label):
                request(engine, "DELETE", f"/containers/{container}?force=1&v=1")
        except (OSError, ValueError):
            pass  # the engine may be dying as well, or come back
        time.sleep(PAUSE)


def containers(engine: str, label: str) -> list[str]:
    """The ids of the containers with that label."""
    import json  # noqa: PLC0415
    from urllib.parse import quote  # noqa: PLC0415

    filters = quote(json.dumps({"label": [label]}))
    rows = json.loads(request(engine, "GET", f"/containers/json?all=1&filters={filters}"))
    return [row["Id"] for row in rows if isinstance(row, dict) and str(row.get("Id", "")).isalnum()]


def request(engine: str, method: str, path: str) -> bytes:
    """The body of the engine's answer.

    Raises:
        OSError: it does not answer.
    """
    import socket  # noqa: PLC0415

    scheme, _, address = engine.partition("://")
    if scheme == "unix":
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(SECONDS)
        connection.connect(address)
    else:
        host, _, port = address.rpartition(":")
        connection = socket.create_connection((host, int(port)), timeout=SECONDS)
    with connection:
        connection.sendall(f"{method} {path} HTTP/1.0\r\nHost: engine\r\n\r\n".encode())
        answer = bytearray()
        while data := connection.recv(1 << 16):
            answer += data
    return bytes(answer).partition(b"\r\n\r\n")[2]


if __name__ == "__main__":
    main(*sys.argv[1:])
