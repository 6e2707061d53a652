# SPDX-License-Identifier: Apache-2.0
import subprocess
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
