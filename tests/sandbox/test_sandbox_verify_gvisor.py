# SPDX-License-Identifier: Apache-2.0
import pytest

from yett.sandbox.control import control
from yett.sandbox.verify_gvisor import as_gvisor_shows, is_gvisor

VERSION = "Linux version 4.4.0 #1 SMP Sun Jan 10 15:06:54 PST 2016"


def excused(name, expected, seen):
    (found,) = as_gvisor_shows([control(name, expected, seen)])
    return found.ok and bool(found.note)


def test_only_gvisor_that_was_asked_for_is_taken_for_it():
    assert is_gvisor("runsc", VERSION)
    assert not is_gvisor("runc", VERSION)
    assert not is_gvisor("runsc", "Linux version 6.18.44")


def test_what_it_shows_to_nobody_is_excused_with_the_reason():
    assert excused("memory", "1024", "")
    assert excused("cgroup namespace", "its own", "")


@pytest.mark.parametrize(
    ("name", "expected", "seen"),
    [
        ("memory", "1024", "2048"),
        ("seccomp filter", "2", ""),
        ("capabilities", "0" * 16, ""),
        ("pid namespace", "its own", ""),
        ("network interfaces", "lo", ""),
        ("PID 1", "closed", ""),
        ("open files", "256", ""),
        ("mount /", "ro", ""),
    ],
)
def test_what_it_does_show_must_be_seen_and_right(name, expected, seen):
    assert not excused(name, expected, seen)


def test_its_mounts_show_fewer_options_and_never_another_size():
    expected = "nosuid,nodev,noexec,size=65536k,nr_inodes=16384"
    assert excused("mount /tmp", expected, "noexec,size=65536k")
    assert not excused("mount /tmp", expected, "noexec")
    assert not excused("mount /tmp", expected, "")


def test_its_own_device_nodes_are_known_and_no_others():
    assert excused("device nodes", "none", "fuse, net")
    assert not excused("device nodes", "none", "fuse, sda")


@pytest.mark.parametrize("once", [True, False])
def test_an_open_pid_1_is_in_order_only_where_no_container_serves_twice(once):
    (found,) = as_gvisor_shows([control("PID 1", "closed", "open: PATH=/bin")], once=once)
    assert (found.ok, found.expected, found.seen) == (once, "closed", "open: PATH=/bin")
    assert found.note


def test_a_pid_1_at_which_nobody_could_look_is_never_in_order():
    (found,) = as_gvisor_shows([control("PID 1", "closed", "")], once=True)
    assert not found.ok
