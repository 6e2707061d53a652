# SPDX-License-Identifier: Apache-2.0
"""The one form of a path in a sandbox, for every tool that takes one. Pure.

Symbolic links are the container's own business: nothing outside it can be reached through one.
"""

from __future__ import annotations

import posixpath

from yett.errors import ExecutionError

WORKSPACE = "/workspace"
PATH_LIMIT = 4095
"""PATH_MAX of Linux without the final NUL, in bytes."""


def sandbox_path(path: str) -> str:
    """The absolute path without `.`, `..` and doubled slashes; a relative one is under /workspace.

    `..` is taken away here, by name, so that the kernel that opens the path has none to follow: what
    was decided on is what is opened.

    Raises:
        ExecutionError: empty, a NUL byte, text that is not UTF-8, over `PATH_LIMIT` bytes.
    """
    if not path:
        raise ExecutionError("The path is empty.")
    if "\0" in path:
        raise ExecutionError("The path has a NUL byte in it.")
    absolute = posixpath.normpath(posixpath.join(WORKSPACE, path))
    if absolute.startswith("//"):  # POSIX gives exactly two leading slashes a meaning; Linux does not
        absolute = absolute[1:]
    try:
        size = len(absolute.encode())
    except UnicodeEncodeError:
        raise ExecutionError("The path is not valid Unicode.") from None
    if size > PATH_LIMIT:
        raise ExecutionError(f"The path is longer than {PATH_LIMIT} bytes.")
    return absolute
