# SPDX-License-Identifier: Apache-2.0
"""Background programs: they outlive calls, nothing else does, and nothing of theirs outlives them."""

import time

import pytest
from runner_client import PROCESSES, Failed, conversation

pytestmark = pytest.mark.supervised

FOREVER = "while :; do sleep 1000; done"


def bounded(runner):
    """What follows would take the machine along if the bound did not hold."""
    limits = runner.run("cat", "/proc/self/limits").out.decode()
    assert f"Max processes {PROCESSES} {PROCESSES}" in " ".join(limits.split())


def test_a_background_program_outlives_calls_and_its_output_comes_at_any_time(runner):
    runner.start("sh", "-c", "echo one; sleep 0.3; echo two; exit 5", slot=3)
    assert runner.output(3, b"one\n") == b"one\n"
    assert runner.run("echo", "call").out == b"call\n"
    done = runner.ended(3)
    assert (done.code, done.out) == (5, b"two\n")


def test_eight_run_at_once_and_a_slot_can_be_used_again(runner):
    for slot in range(1, 9):
        runner.start("sh", "-c", f"echo {slot}; cat; exit {slot}", slot=slot, stdin=b"x" * 100_000)
    for slot in range(1, 9):
        done = runner.ended(slot)
        assert (done.code, done.out) == (slot, f"{slot}\n".encode() + b"x" * 100_000)
    runner.start("sh", "-c", "echo again", slot=8)
    assert runner.ended(8).out == b"again\n"


@pytest.mark.parametrize(
    ("argv", "cwd", "word"), [(("no-such-program",), "/", "exec"), (("true",), "/no/such", "cwd")]
)
def test_one_that_cannot_start_is_a_failure_and_leaves_its_slot_free(runner, argv, cwd, word):
    with pytest.raises(Failed, match=word):
        runner.start(*argv, slot=1, cwd=cwd)
    runner.start("true", slot=1)
    assert runner.ended(1).code == 0


def test_what_a_call_left_dies_and_what_the_background_program_started_lives(runner):
    runner.start("sh", "-c", "(setsid sleep 2001 &); sleep 2002 & echo up; " + FOREVER, slot=1)
    runner.output(1, b"up\n")
    runner.sh("(setsid sh -c '(sleep 3001 &) & sleep 3002 &'); nohup sleep 3003 >/dev/null 2>&1 & exit 0")
    alive = " ".join(runner.alive())
    assert "sleep 2001" in alive
    assert "sleep 2002" in alive
    assert "sleep 300" not in alive


def test_when_its_own_program_ends_what_it_left_dies(runner):
    runner.start("sh", "-c", FOREVER, slot=2)
    runner.start(
        "sh", "-c", "(setsid sh -c '(sleep 2001 &)'); nohup sleep 2002 >/dev/null 2>&1 & exit 6", slot=1
    )
    assert runner.ended(1).code == 6
    alive = " ".join(runner.alive())
    assert "sleep 200" not in alive
    assert "sleep 1000" in alive


def test_one_that_ends_during_a_call_takes_its_own_along_and_nothing_of_the_call(runner):
    runner.start("sh", "-c", "(setsid sleep 2001 &); sleep 0.2; exit 0", slot=1)
    count = "busybox ps -o args | grep -c '[s]leep 2001'"
    runner.launch("sh", "-c", "(setsid sh -c 'sleep 0.6; echo daemon of the call' &); sleep 1; " + count)
    assert runner.ended(1).code == 0
    assert runner.ended(0).out == b"daemon of the call\n0\n"


def test_kill_takes_one_slot_and_leaves_the_others(runner):
    runner.start("sh", "-c", "echo a; (setsid sleep 2001 &); sleep 2001", slot=1)
    runner.start("sh", "-c", "echo b; (setsid sleep 2002 &); sleep 2002", slot=2)
    runner.output(1, b"a\n"), runner.output(2, b"b\n")
    runner.kill(1)
    assert runner.ended(1).signal == 9
    alive = " ".join(runner.alive())
    assert "sleep 2001" not in alive
    assert alive.count("sleep 2002") >= 2
    runner.kill(2)
    assert runner.ended(2).signal == 9
    assert runner.alive() == []


def test_kill_reaches_a_background_program_while_a_call_runs_and_the_call_goes_on(runner):
    runner.start("sh", "-c", "echo a; sleep 2001", slot=1)
    runner.output(1, b"a\n")
    runner.launch("sh", "-c", "read x; echo $x; sleep 0.5; echo end", stdin=b"in\n")
    runner.output(0, b"in\n")
    runner.kill(1)
    assert runner.ended(1).signal == 9
    done = runner.ended(0)
    assert (done.code, done.out) == (0, b"end\n")


def test_killing_the_call_leaves_background_programs(runner):
    runner.start("sh", "-c", "echo a; sleep 2001", slot=1)
    runner.output(1, b"a\n")
    runner.launch("sh", "-c", "echo up; (setsid sleep 3001 &); " + FOREVER)
    runner.output(0, b"up\n")
    runner.kill(0)
    assert runner.ended(0).signal == 9
    alive = " ".join(runner.alive())
    assert "sleep 3001" not in alive
    assert "sleep 2001" in alive


def test_a_program_that_kills_its_supervisor_has_ended_by_signal_9_and_all_of_it_dies(runner):
    runner.start("sh", "-c", FOREVER, slot=2)
    runner.start("sh", "-c", "(setsid sleep 2001 &); kill -9 $PPID; sleep 2002", slot=1)
    assert runner.ended(1).signal == 9
    assert "sleep 200" not in " ".join(runner.alive())


def test_a_call_that_kills_its_supervisor_has_ended_too(runner):
    runner.start("sh", "-c", FOREVER, slot=2)
    assert runner.sh("(setsid sleep 3001 &); kill -9 $PPID; sleep 3002").signal == 9
    alive = " ".join(runner.alive())
    assert "sleep 300" not in alive
    assert "sleep 1000" in alive


def test_a_stopped_supervisor_hides_nothing_from_a_kill(runner):
    runner.start("sh", "-c", "kill -STOP $PPID; echo stopped; sleep 2001", slot=1)
    runner.output(1, b"stopped\n")
    runner.kill(1)
    assert runner.ended(1).signal == 9
    assert runner.alive() == []


def test_a_call_that_kills_all_it_can_takes_the_background_programs_and_each_end_is_told(runner):
    runner.start("sh", "-c", FOREVER, slot=1)
    runner.start("sh", "-c", FOREVER, slot=2)
    runner.launch("sh", "-c", "kill -9 -1")
    assert [runner.ended(slot).signal for slot in (1, 2, 0)] == [9, 9, 9]
    assert runner.alive() == []


def test_supervisors_are_closed_to_programs(runner):
    runner.start(
        "sh", "-c", "ls -l /proc/$PPID/fd; cat /proc/$PPID/environ; cat /proc/$PPID/mem; echo", slot=1
    )
    done = runner.ended(1)
    assert done.out == b"\n"
    assert done.err.count(b"Permission denied") == 3


@pytest.mark.parametrize("beside", [False, True])
def test_a_fork_bomb_ends_with_its_call(runner, beside):
    if beside:
        runner.start("sh", "-c", "echo up; sleep 2001", slot=1)
        runner.output(1, b"up\n")
    bounded(runner)
    runner.launch("sh", "-c", "b() { b | b & }; b; while :; do :; done")
    time.sleep(0.2)
    runner.kill(0)
    assert runner.ended(0).signal == 9
    assert [line for line in runner.alive() if "b()" in line] == []
    assert ("sleep 2001" in " ".join(runner.alive())) == beside


def test_processes_that_hop_from_parent_to_parent_are_caught(runner):
    runner.start("sh", "-c", "echo up; sleep 2001", slot=1)
    runner.output(1, b"up\n")
    # Each process lives only long enough to start the next: a slow look at all sees none.
    hopper = "hop() { (hop &) ; }; for i in 1 2 3 4; do hop; done"
    bounded(runner)
    runner.sh(hopper + "; sleep 0.2")
    assert [line for line in runner.alive() if "hop()" in line] == []


def test_a_busy_background_program_is_spared_by_many_sweeps(runner):
    runner.start("sh", "-c", "echo up; while :; do (true; (true &)) ; done", slot=1)
    runner.output(1, b"up\n")
    for _ in range(50):
        assert runner.sh("(setsid sleep 3001 &) ; true").code == 0
    alive = " ".join(runner.alive())
    assert "echo up" in alive
    assert "sleep 3001" not in alive


def test_where_the_kernel_does_not_list_children_the_sweep_goes_by_all_processes(runner_binary):
    with conversation(runner_binary, hide_children=True) as runner:
        assert b"Permission denied" in runner.sh("cat /proc/1/task/1/children").err
        runner.start("sh", "-c", "(setsid sleep 2001 &); echo up; " + FOREVER, slot=1)
        runner.output(1, b"up\n")
        runner.sh("(setsid sh -c '(sleep 3001 &) & sleep 3002 &'); nohup sleep 3003 >/dev/null 2>&1 & exit 0")
        alive = " ".join(runner.alive())
        assert "sleep 2001" in alive
        assert "sleep 300" not in alive
