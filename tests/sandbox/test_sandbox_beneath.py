# SPDX-License-Identifier: Apache-2.0
"""The one resolver of the host side, by the kernel's openat2 and by the walk that stands in for it."""

import errno
import os
import socket

import pytest

from yett.sandbox.beneath import Folder


@pytest.fixture(params=[True, False], ids=["openat2", "walk"])
def folder(request, project):
    (project / "sub").mkdir()
    (project / "sub" / "deep.txt").write_text("deep")
    with Folder(str(project), kernel_resolves=request.param) as opened:
        yield opened


def refusal(folder, path):
    with pytest.raises(OSError, match=r".") as caught:
        folder.read(path, 1000)
    return caught.value.errno


def test_what_lies_beneath_is_read(folder):
    assert folder.read("notes.txt", 100) == b"hello\n"
    assert folder.read("sub/deep.txt", 100) == b"deep"
    assert folder.read("./sub//deep.txt", 100) == b"deep"


def test_no_link_of_any_kind_is_followed(folder, project):
    targets = {
        "absolute": str(project.parent / "secret"),
        "relative": "../secret",
        "inside": "notes.txt",
        "to_folder": "../beside",
        "magic_root": f"/proc/self/root{project.parent}/secret",
        "magic_cwd": "/proc/self/cwd",
        "loop": "loop",
    }
    for name, target in targets.items():
        (project / name).symlink_to(target)
        assert refusal(folder, name) in {errno.ELOOP, errno.EXDEV}
    assert refusal(folder, "to_folder/secret") in {errno.ELOOP, errno.EXDEV}


@pytest.mark.parametrize("path", ["../secret", "sub/../../secret", "/etc/passwd", "..", "sub/..", "a\0b"])
def test_no_path_leads_out(folder, path):
    assert refusal(folder, path) == errno.EXDEV


def test_a_fifo_does_not_block_and_is_no_file(folder, project):
    os.mkfifo(project / "pipe")
    assert refusal(folder, "pipe") == errno.EINVAL


def test_a_socket_and_a_folder_are_no_files(folder, project, monkeypatch):
    monkeypatch.chdir(project)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s")
        assert refusal(folder, "s") == errno.ENXIO
    assert refusal(folder, "sub") in {errno.EISDIR, errno.EINVAL}


def test_a_file_of_two_names_is_refused(folder, project):
    os.link(project.parent / "secret", project / "hard")
    assert refusal(folder, "hard") == errno.EINVAL


def test_a_file_of_a_terabyte_of_nothing_is_refused_and_not_read(folder, project):
    with (project / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    assert refusal(folder, "sparse") == errno.EFBIG


def test_another_file_system_below_is_not_entered(project):
    for kernel in (True, False):
        with Folder("/", kernel_resolves=kernel) as root:
            with pytest.raises(OSError, match=r".") as caught:
                root.open("proc/self/status")
            assert caught.value.errno in {errno.EXDEV, errno.ELOOP}


def test_a_folder_behind_a_link_is_not_opened(project):
    (project.parent / "link").symlink_to("project")
    for kernel in (True, False):
        with pytest.raises(OSError, match=r".") as caught:
            Folder(str(project.parent / "link"), kernel_resolves=kernel)
        assert caught.value.errno in {errno.ELOOP, errno.ENOTDIR}


def test_nothing_can_be_made(folder):
    with pytest.raises(OSError, match=r".") as caught:
        folder.open("new", os.O_CREAT | os.O_WRONLY)
    assert caught.value.errno == errno.EINVAL
