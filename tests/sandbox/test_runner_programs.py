# SPDX-License-Identifier: Apache-2.0
"""Programs of a call: the runner itself, as PID 1 of a namespace, without an engine."""

import time

import pytest
from runner_client import WORK, Failed, conversation


def test_a_program_gets_its_input_folder_and_environment_and_its_streams_stay_apart(runner):
    done = runner.sh(
        'pwd; echo "$A" >&2; cat', cwd=WORK, env={"A": "b c", "PATH": "/bin"}, stdin=b"x" * 200_000
    )
    assert (done.code, done.signal) == (0, None)
    assert done.out == WORK.encode() + b"\n" + b"x" * 200_000
    assert done.err == b"b c\n"


@pytest.mark.parametrize(("script", "code", "signal"), [("exit 7", 7, None), ("kill -TERM $$", None, 15)])
def test_how_it_ended_is_told(runner, script, code, signal):
    done = runner.sh(script)
    assert (done.code, done.signal) == (code, signal)


@pytest.mark.parametrize(
    ("argv", "cwd", "word"),
    [(("no-such-program",), "/", "exec"), (("true",), "/no/such", "cwd"), (("",), "/", "exec")],
)
def test_a_program_that_cannot_start_is_a_failure_and_the_next_one_runs(runner, argv, cwd, word):
    with pytest.raises(Failed) as failed:
        runner.run(*argv, cwd=cwd)
    assert (failed.value.code, failed.value.word) == (2, word)
    assert runner.run("true").code == 0


def test_limits_hold(runner):
    assert (
        runner.run(
            "sh", "-c", "ulimit -n; ulimit -f", limits=[("open_files", 33), ("file_size", 1 << 20)]
        ).out
        == b"33\n2048\n"
    )
    assert runner.run("sh", "-c", "while :; do :; done", limits=[("cpu", 1)]).signal in {9, 24}


def test_kill_ends_a_program_that_ignores_signals_and_what_it_wrote_comes_first(runner):
    runner.launch("sh", "-c", "trap '' TERM INT HUP; echo here; sleep 1000 & while :; do sleep 1000; done")
    runner.output(0, b"here\n")
    runner.kill(0)
    assert runner.ended(0).signal == 9
    assert runner.alive() == []


def test_killing_what_does_not_run_is_ignored(runner):
    for slot in range(9):
        runner.kill(slot)
    assert runner.run("true").code == 0


def test_after_a_call_nothing_is_alive_however_it_hid(runner):
    runner.sh("(setsid sh -c '(sleep 1001 &) & sleep 1002 &'); nohup sleep 1003 >/dev/null 2>&1 & exit 0")
    assert runner.alive() == []


def test_a_daemon_that_keeps_writing_does_not_keep_the_call_open(runner):
    before = time.monotonic()
    done = runner.sh("setsid sh -c 'while :; do echo more; done' & exit 4")
    assert done.code == 4
    assert time.monotonic() - before < 10
    assert runner.alive() == []


@pytest.mark.supervised
def test_the_runner_works_over_standard_streams(runner_binary):
    with conversation(runner_binary, attach=True) as runner:
        runner.start("sh", "-c", "echo up; cat", slot=1, stdin=b"y" * 100_000)
        runner.output(1, b"up\n")
        assert runner.run("cat", stdin=b"x" * 500_000).out == b"x" * 500_000
        listing = runner.sh("ls -l /proc/self/fd; ls /proc/1/fd")
        assert b"socket:" not in listing.out
        assert b"Permission denied" in listing.err
        runner.hang_up()
        assert runner.exit_code() == 0
