# SPDX-License-Identifier: Apache-2.0
"""What every frame on a container's line has: a length, a type, and the fault that ends the line.

Pure. `requests.py` makes frames to the runner, `protocol.py` reads frames from it, `connection_frames.py`
does both for the connections of programs.
"""

from __future__ import annotations

import struct

from yett.errors import ExecutionError

VERSION = 2
"""Of the frames, as `sandbox_images/runner/README.md` describes them."""

CHUNK = 60 * 1024
"""The largest payload of one frame that carries a part of a stream."""

SLOTS = 8
"""Background programs that a runner can hold. Slot 0 is the call that is open."""

HEADER = struct.Struct("<IB")


class ProtocolViolation(ExecutionError):
    """The container sent something that its runner never sends. It is not to be used again."""

    public_text = "The sandbox broke its protocol and was destroyed."


def frame(kind: str, payload: bytes = b"") -> bytes:
    """A frame as it goes out."""
    return HEADER.pack(len(payload), ord(kind)) + payload
