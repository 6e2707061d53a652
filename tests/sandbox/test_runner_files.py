# SPDX-License-Identifier: Apache-2.0
"""File requests of the runner: no link is followed, nothing blocks, and a write is all or nothing."""

import errno
import os

import pytest
from runner_client import WORK, Failed


@pytest.fixture
def refused():
    def check(call, code, word=None):
        with pytest.raises(Failed) as failed:
            call()
        assert failed.value.code == code, failed.value
        assert word is None or failed.value.word == word

    return check


def test_what_is_written_is_read_in_parts_listed_and_told(runner):
    data = os.urandom(300_000)
    runner.write(f"{WORK}/a/b/file", data)
    assert runner.read(f"{WORK}/a/b/file") == data
    assert runner.read(f"{WORK}//a/./b/../b/file", offset=100_000, limit=7) == data[100_000:100_007]
    assert runner.read(f"{WORK}/a/b/file", offset=1 << 40) == b""
    runner.write(f"{WORK}/a/b/file", b"more", append=True)
    assert runner.stat(f"{WORK}/a/b/file") == ("f", 300_004, 0o644)
    assert runner.list(f"{WORK}/a/b") == {"file": "f"}
    assert runner.list("/")["mnt"] == "d"
    assert runner.stat("/")[0] == "d"


def test_many_entries_come_and_no_more_than_asked_for(runner):
    runner.sh(f"cd {WORK} && for i in $(seq 400); do : > a-rather-long-name-to-fill-frames-quickly-$i; done")
    assert len(runner.list(WORK)) == 400
    assert len(runner.list(WORK, limit=10)) == 10
    assert runner.list(WORK, limit=0) == {}


@pytest.mark.parametrize("link", ["/etc", "../../etc", "/proc/1/root/etc", "/proc/self/cwd"])
def test_a_link_in_the_middle_of_a_path_is_refused(runner, refused, link):
    runner.sh(f"ln -s {link} {WORK}/link")
    for call in (
        lambda: runner.read(f"{WORK}/link/passwd"),
        lambda: runner.write(f"{WORK}/link/new", b"x"),
        lambda: runner.write(f"{WORK}/link/new/deep", b"x", append=True),
        lambda: runner.stat(f"{WORK}/link/passwd"),
        lambda: runner.list(f"{WORK}/link/apt"),
    ):
        refused(call, errno.ELOOP, "symlink")


def test_a_link_at_the_end_of_a_path_is_told_and_not_followed(runner, refused):
    runner.sh(f"cd {WORK}; echo old > file; ln -s file link; ln -s nowhere dangling; ln -s . here")
    assert runner.stat(f"{WORK}/link")[0] == "l"
    for name in ("link", "dangling"):
        refused(lambda n=name: runner.read(f"{WORK}/{n}"), errno.ELOOP, "symlink")
        refused(lambda n=name: runner.write(f"{WORK}/{n}", b"x"), errno.ELOOP, "symlink")
        refused(lambda n=name: runner.write(f"{WORK}/{n}", b"x", append=True), errno.ELOOP, "symlink")
    refused(lambda: runner.list(f"{WORK}/here"), errno.ELOOP, "symlink")
    assert runner.read(f"{WORK}/file") == b"old\n"
    assert runner.list(WORK) == {"file": "f", "link": "l", "dangling": "l", "here": "l"}


def test_dots_are_taken_out_of_the_text_so_that_no_link_changes_them(runner, refused):
    runner.sh(f"mkdir {WORK}/d; ln -s /usr/bin {WORK}/d/link; echo here > {WORK}/d/passwd")
    assert runner.read(f"{WORK}/d/link/../passwd") == b"here\n"
    assert runner.read("/../../.." + WORK + "/d/passwd") == b"here\n"
    assert runner.stat("/..")[0] == "d"


@pytest.mark.parametrize(
    "path", ["/proc/1/status", "/proc/self/environ", "/proc/1/fd/0", "/proc/1/root/etc/passwd"]
)
def test_the_kernels_files_are_refused(runner, refused, path):
    for call in (lambda: runner.read(path), lambda: runner.write(path, b"x"), lambda: runner.stat(path)):
        refused(call, errno.EACCES)
    refused(lambda: runner.list("/proc"), errno.EACCES)
    refused(lambda: runner.list("/sys/kernel"), errno.EACCES)


@pytest.mark.parametrize(("make", "code"), [("mkfifo x", errno.EINVAL), ("mkdir x", errno.EISDIR)])
def test_what_is_no_regular_file_is_refused_without_waiting(runner, refused, make, code):
    runner.sh(f"cd {WORK}; {make}")
    for call in (
        lambda: runner.read(f"{WORK}/x"),
        lambda: runner.write(f"{WORK}/x", b"y"),
        lambda: runner.write(f"{WORK}/x", b"y", append=True),
    ):
        refused(call, code, "open")
    refused(lambda: runner.list(f"{WORK}/no"), errno.ENOENT)
    refused(lambda: runner.write("/dev/null", b"y"), errno.EINVAL)
    assert list(runner.list(WORK)) == ["x"]


def test_a_write_keeps_the_mode_and_breaks_links_of_the_old_file_and_leaves_nothing_beside_it(runner):
    runner.sh(f"cd {WORK}; echo old > file; chmod 4751 file; ln file hard")
    runner.write(f"{WORK}/file", b"new")
    assert runner.stat(f"{WORK}/file") == (
        "f",
        3,
        0o751,
    )  # what it is allowed to be set-user-id for is not what it was
    assert runner.read(f"{WORK}/hard") == b"old\n"
    assert set(runner.list(WORK)) == {"file", "hard"}


def test_a_file_that_could_not_be_written_to_is_not_replaced(runner, refused):
    runner.sh(f"cd {WORK}; echo old > file; chmod 444 file")
    refused(lambda: runner.write(f"{WORK}/file", b"new"), errno.EACCES, "open")
    assert runner.read(f"{WORK}/file") == b"old\n"


@pytest.mark.parametrize(
    "fill",
    ["dd if=/dev/zero of=full bs=64k 2>/dev/null", "i=0; while : > full$i; do i=$((i+1)); done 2>/dev/null"],
)
def test_with_a_full_disk_the_old_content_stays_and_nothing_beside_it(runner, refused, fill):
    runner.write(f"{WORK}/file", b"old content")
    runner.sh(f"cd {WORK}; {fill}")
    before = set(runner.list(WORK))
    refused(lambda: runner.write(f"{WORK}/file", b"x" * 500_000), errno.ENOSPC)
    assert runner.read(f"{WORK}/file") == b"old content"
    assert set(runner.list(WORK)) == before
    runner.sh(f"rm {WORK}/full*")
    runner.write(f"{WORK}/file", b"x" * 500_000)
    assert runner.read(f"{WORK}/file") == b"x" * 500_000


@pytest.mark.supervised
def test_no_rename_race_leads_elsewhere(runner):
    """A folder and a link to another one keep changing places; what is read is the folder's, or nothing."""
    runner.sh(
        f"cd {WORK}; mkdir real secret; echo fine > real/file; echo leak > secret/file; ln -s secret link"
    )
    swap = "mv -T real aside; mv -T link real; mv -T real link; mv -T aside real"
    runner.start("sh", "-c", f"cd {WORK}; echo up; while :; do {swap}; done", slot=1)
    runner.output(1, b"up\n")
    seen = set()
    for _ in range(1500):
        try:
            seen.add(runner.read(f"{WORK}/real/file"))
        except Failed as failed:
            seen.add(failed.code)
        try:
            runner.write(f"{WORK}/real/new", b"x")
        except Failed as failed:
            seen.add(failed.code)
    runner.kill(1)
    runner.ended(1)
    assert b"leak\n" not in seen
    assert seen & {errno.ELOOP, errno.ENOENT}, "the race was not met"
    assert runner.list(f"{WORK}/secret") == {"file": "f"}
