# SPDX-License-Identifier: Apache-2.0
"""For five seconds a name is in turn a folder of the workspace and a link to a secret of the host."""

import contextlib
import threading
import time

import pytest

from yett.errors import ExecutionError
from yett.sandbox.beneath import Folder
from yett.sandbox.survey import survey

SECONDS = 5.0


@contextlib.contextmanager
def racing(project):
    """`x` changes between a folder, a link to the secret's folder and a link to that of the host's root."""
    (project / "real").mkdir()
    (project / "real" / "secret").write_text("mine")
    stop = threading.Event()

    def race():
        while not stop.is_set():
            for target in (str(project.parent / "beside"), "../beside"):
                (project / "y").symlink_to(target)
                (project / "y").rename(project / "x")
                (project / "x").unlink()
                (project / "real").rename(project / "x")
                (project / "x").rename(project / "real")

    thread = threading.Thread(target=race)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("kernel", [True, False], ids=["openat2", "walk"])
def test_the_host_side_never_reads_the_secret(project, kernel):
    seen = {"mine": 0, "refused": 0}
    with racing(project), Folder(str(project), kernel_resolves=kernel) as folder:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            try:
                data = folder.read("x/secret", 100)
            except OSError:
                seen["refused"] += 1
                continue
            assert data == b"mine"
            seen["mine"] += 1
            if seen["mine"] % 50 == 0:
                assert survey(folder, names=("secret",), most_files=100).files < 20
    assert min(seen.values()) > 0, seen


@pytest.mark.anyio
@pytest.mark.engine
async def test_no_file_tool_ever_reads_the_secret(project, writable):
    seen = {"mine": 0, "refused": 0}
    async with writable() as boxes, boxes.lease("s") as box:
        with racing(project):
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                try:
                    data, _ = await box.read("/workspace/x/secret", offset=0, limit=100)
                except ExecutionError:
                    seen["refused"] += 1
                    continue
                assert data == b"mine"
                seen["mine"] += 1
    assert min(seen.values()) > 0, seen
