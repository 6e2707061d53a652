# SPDX-License-Identifier: Apache-2.0
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "engine.sh"


def run(**env):
    base = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run(
        ["/bin/sh", str(SCRIPT)], env=base | env, capture_output=True, text=True, timeout=60
    )


@pytest.mark.engine
def test_it_is_quiet_when_all_is_well():
    done = run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_engine_elsewhere_that_does_not_answer_is_one_sentence_and_exit_3(tmp_path):
    done = run(DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert done.returncode == 3
    assert done.stderr == f"engine: no container engine answers at unix://{tmp_path}/none.sock\n"


def fake(folder, name, script):
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def machine(tmp_path):
    """A machine on which dockerd can be started, and one cannot see the real one."""
    fake(tmp_path, "docker", f"[ -e {tmp_path}/up ]")
    fake(tmp_path, "pgrep", "exit 1")
    fake(tmp_path, "id", "echo 0")
    return tmp_path


def started(machine):
    return run(
        PATH=f"{machine}:/usr/sbin:/usr/bin:/sbin:/bin",
        YETT_ENGINE_LOG=f"{machine}/log",
        YETT_ENGINE_DEADLINE="2",
    )


@pytest.mark.engine
def test_an_engine_that_is_not_running_is_started_and_waited_for(machine):
    fake(machine, "dockerd", f"echo beginning; touch {machine}/up; exec sleep 5")
    done = started(machine)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == "engine: dockerd answers"
    assert (machine / "log").read_text() == "beginning\n"


@pytest.mark.engine
def test_an_engine_that_ends_at_once_is_told_with_its_last_words(machine):
    fake(machine, "dockerd", "echo no permission; exit 1")
    done = started(machine)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "engine: dockerd ended at once: no permission"


@pytest.mark.engine
def test_an_engine_that_never_answers_is_given_up(machine):
    fake(machine, "dockerd", "exec sleep 5")
    done = started(machine)
    assert done.returncode == 3
    assert "does not answer after 2 s" in done.stderr


@pytest.mark.engine
def test_without_root_an_engine_is_not_started(machine):
    fake(machine, "id", "echo 1000")
    fake(machine, "dockerd", "exit 1")
    done = started(machine)
    assert done.returncode == 3
    assert "only root can start one" in done.stderr


@pytest.mark.engine
def test_a_user_who_may_not_use_the_engine_is_told_so():
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as engine:
        path = Path(folder, "engine.sock")
        engine.bind(str(path))
        path.chmod(0o600)
        Path(folder).chmod(0o755)
        done = subprocess.run(
            ["/bin/sh", "-s"],
            input=SCRIPT.read_text(),
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DOCKER_HOST": f"unix://{path}"},
            capture_output=True,
            text=True,
            timeout=60,
            user="nobody",
            cwd="/",
        )
    assert done.returncode == 3
    assert done.stderr.startswith(f"engine: this user may not use the container engine at unix://{path}: ")
