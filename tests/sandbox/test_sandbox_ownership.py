# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from yett.sandbox.ownership import Owner


@pytest.fixture
def process():
    child = subprocess.Popen(["/bin/sleep", "60"])
    yield child
    child.kill()
    child.wait()


def owner_of(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return replace(Owner.of_this_process(), pid=pid, started=int(fields[19]))


def test_a_label_says_who_made_it_and_is_read_back():
    owner = Owner.of_this_process()
    assert owner.pid == os.getpid()
    assert Owner.parse(owner.label()) == owner
    assert owner.alive is True


def test_a_process_that_ended_is_proved_dead_also_before_its_parent_looked(process):
    owner = owner_of(process.pid)
    assert owner.alive is True
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert owner.alive is False  # a zombie
    process.wait()
    assert owner.alive is False


def test_another_process_of_the_same_number_is_not_the_owner(process):
    owner = owner_of(process.pid)
    assert replace(owner, started=owner.started - 1).alive is False


@pytest.mark.parametrize("elsewhere", ["machine", "boot", "namespace"])
def test_elsewhere_nothing_can_be_proved(elsewhere):
    owner = replace(Owner.of_this_process(), **{elsewhere: "another"}, pid=2**22 + 1)
    assert owner.alive is None
    assert owner.on_this_machine is (elsewhere != "machine")


@pytest.mark.parametrize("label", ["", "x", "a/b/c/d", "a/b/c/-1/2", "a/b/c/1/2/3", "a/b/c//"])
def test_what_is_no_label_of_ours_names_nobody(label):
    assert Owner.parse(label) is None


def test_an_impossible_pid_is_dead():
    assert replace(Owner.of_this_process(), pid=2**70).alive is False
