# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

import pytest
from sandbox_world import marker, on_host, until

from yett.errors import SandboxUnavailable
from yett.sandbox.runc_program import RuncProgram, parse_version


def program(folder, script, deadline=20.0):
    path = folder / "runc"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return RuncProgram(state=folder / "s", deadline=deadline, path=f"{folder}:/usr/bin:/bin")


@pytest.mark.anyio
async def test_a_runc_that_hangs_is_killed_with_all_that_it_started(tmp_path):
    seconds = marker()
    hanging = program(tmp_path, f"sleep {seconds} & exec sleep {seconds}", deadline=0.3)
    with pytest.raises(SandboxUnavailable, match=r"within 0\.3 s and was killed"):
        hanging.start("yett-a", tmp_path)
    await until(lambda: on_host(seconds) == [], 5.0)


def test_what_runc_says_is_wrong_is_passed_on(tmp_path):
    lines = r'{"level":"error","msg":"no space left"}\n{"level":"info","msg":"other"}\nno json\n'
    failing = program(tmp_path, f"printf '{lines}' > {tmp_path}/log; exit 1")
    with pytest.raises(SandboxUnavailable, match="no space left"):
        failing.start("yett-a", tmp_path)


def test_runc_gets_no_variable_and_no_descriptor_of_the_gateway(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    left = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(left, True)
    try:
        out = tmp_path / "out"
        program(tmp_path, f"(env; ls -l /proc/$$/fd; pwd) > {out}; echo 7 > {tmp_path}/pid").start(
            "n", tmp_path
        )
    finally:
        os.close(left)
    seen = out.read_text()
    assert "made-up" not in seen
    held = [line.rpartition(" -> ")[2] for line in seen.splitlines() if " -> " in line]
    assert set(held) - {str(tmp_path / "runc"), str(out)} == {"/dev/null"}
    assert seen.splitlines()[-1] == "/"


def test_no_runc_is_said(tmp_path):
    with pytest.raises(SandboxUnavailable, match="no runc") as caught:
        RuncProgram(state=tmp_path, deadline=1.0, path=str(tmp_path)).version()
    assert "apt-get install runc" in caught.value.advice()


@pytest.mark.parametrize(
    ("version", "commit", "safe"),
    [
        ("1.1.11", "v1.1.11-0-g4bccb38c", False),
        ("1.1.12", "v1.1.12-0-g51d5e946", True),
        ("1.1.12-rc.1", "", False),
        ("1.3.3", "v1.3.3-0-gd842d771", True),
        ("1.1.5+ds1", "1.1.5+ds1-1+b1", False),
        ("1.1.5+ds1", "1.1.5+ds1-1+deb12u1", True),
        ("1.0.0~rc93+ds1", "1.0.0~rc93+ds1-5+deb11u2", False),
        ("1.0.0~rc93+ds1", "1.0.0~rc93+ds1-5+deb11u3", True),
        ("1.1.5+ds1", "1.1.5+ds1-1+deb12u1-evil", False),
    ],
)
def test_a_runc_without_the_fix_of_its_leaked_descriptor_is_told_from_one_with_it(version, commit, safe):
    assert parse_version(f"runc version {version}\ncommit: {commit}\nspec: 1.0.2-dev\n").safe is safe


def test_a_runc_that_is_too_old_is_not_used(tmp_path):
    with pytest.raises(SandboxUnavailable, match="CVE-2024-21626"):
        program(tmp_path, "echo runc version 1.1.4").version()


def test_the_runc_of_this_machine_is_used():
    assert RuncProgram(state=Path("/nonexistent"), deadline=10.0).version().safe
