# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from yett.sandbox.cgroup import oom_file, oom_kills


def tree(tmp_path: Path, cgroup: str, counter: str, text: str) -> Path | None:
    (tmp_path / "proc" / "7").mkdir(parents=True)
    (tmp_path / "proc" / "7" / "cgroup").write_text(cgroup)
    file = tmp_path / "cg" / counter
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return oom_file(7, proc=tmp_path / "proc", mount=tmp_path / "cg")


def test_the_counter_of_version_1_is_found_also_on_a_hybrid_machine(tmp_path):
    cgroup = "9:memory:/docker/abc\n1:name=systemd:/docker/abc\n0::/docker/abc\n"
    file = tree(tmp_path, cgroup, "memory/docker/abc/memory.oom_control", "under_oom 0\noom_kill 3\n")
    assert oom_kills(file) == 3


def test_the_counter_of_version_2_is_found(tmp_path):
    file = tree(
        tmp_path,
        "0::/system.slice/docker-abc.scope\n",
        "system.slice/docker-abc.scope/memory.events",
        "oom 2\noom_kill 1\n",
    )
    assert oom_kills(file) == 1


def test_what_cannot_be_known_is_none(tmp_path):
    assert oom_file(7, proc=tmp_path) is None
    assert oom_kills(None) is None
    assert oom_kills(tmp_path / "gone") is None


@pytest.mark.parametrize("text", ["", "oom_kill many\n", "oom 1\n"])
def test_a_counter_that_cannot_be_read_is_none(tmp_path, text):
    file = tmp_path / "memory.events"
    file.write_text(text)
    assert oom_kills(file) is None
