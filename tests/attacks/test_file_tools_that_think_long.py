# SPDX-License-Identifier: Apache-2.0
"""Edits, diffs, searches and reads that are made to take long: the gate goes on serving meanwhile."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from tool_calls import done

from yett.errors import ExecutionError
from yett.testing import MemorySandboxes
from yett.tools import file_edit, file_read, file_search

pytestmark = pytest.mark.anyio

LINE = b'{"type":"end"}\n'


@pytest.fixture
def threads(monkeypatch):
    """Where each long work was done, by its name."""
    where = {}

    def watch(module, name):
        work = getattr(module, name)

        def watched(*given, **named):
            where[name] = threading.current_thread()
            return work(*given, **named)

        monkeypatch.setattr(module, name, watched)

    for name in ("apply_edits", "apply_patch", "unified_diff"):
        watch(file_edit, name)
    watch(file_search, "read_lines")
    watch(file_read, "_within")
    return where


async def rg(running):
    await running.out(LINE * 1000)
    return 1


async def test_no_long_work_is_done_where_the_gate_serves(threads):
    boxes = MemorySandboxes({"rg": rg})
    boxes.of("s-1").files.put("/workspace/a", b"one\n" * 1000)
    edit, search, read = (
        file_edit.FileEdit(boxes),
        file_search.FileSearch(boxes),
        file_read.FileRead(boxes),
    )
    await done(edit, path="/workspace/a", edits=[{"old": "one", "new": "two", "replace_all": True}])
    with pytest.raises(ExecutionError):
        await done(edit, path="/workspace/a", patch="@@ -1,1 +1,1 @@\n-one\n+two\n")
    await done(search, path="/workspace", pattern="x")
    await done(read, path="/workspace/a", start_line=3)
    assert set(threads) == {"apply_edits", "apply_patch", "unified_diff", "read_lines", "_within"}
    assert threading.main_thread() not in threads.values()
