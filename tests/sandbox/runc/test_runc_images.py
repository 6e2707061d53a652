# SPDX-License-Identifier: Apache-2.0
import fcntl
import io
import stat
import tarfile
import tempfile
from pathlib import Path

import pytest

from yett.errors import SandboxUnavailable
from yett.sandbox.runc_images import ImageRoots


def archive(word):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("word")
        entry.size = len(word)
        tar.addfile(entry, io.BytesIO(word))
    return out.getvalue()


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(prefix="yett-images-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def roots(folder, deadline=5.0):
    return ImageRoots(folder, size=1 << 20, files=100, deadline=deadline)


def test_equal_archives_are_unpacked_once_and_found_by_every_name(folder):
    images = roots(folder)
    one = images.add("a:1", archive(b"x"), {"k": "v", "other": "two words"})
    two = images.add("b:1", archive(b"x"), {})
    assert one.path == two.path
    assert (one.path / "word").read_bytes() == b"x"
    assert roots(folder).find("a:1").labels == {"k": "v", "other": "two words"}
    assert images.find("c:1") is None


def test_an_archive_in_a_file_is_the_same_image(folder, tmp_path):
    (tmp_path / "tar").write_bytes(archive(b"x"))
    images = roots(folder)
    assert images.add("a:1", tmp_path / "tar", {}).digest == images.add("b:1", archive(b"x"), {}).digest


def test_what_has_no_name_and_no_container_is_removed(folder):
    images = roots(folder)
    old, older = images.add("a:1", archive(b"1"), {}), images.add("b:1", archive(b"2"), {})
    new = images.add("a:1", archive(b"3"), {})
    images.prune(lambda: {old.digest})
    assert (old.path.exists(), older.path.exists(), new.path.exists()) == (True, True, True)
    images.prune(set)
    assert (old.path.exists(), older.path.exists(), new.path.exists()) == (False, True, True)


def test_what_is_no_archive_leaves_nothing(folder):
    images = roots(folder)
    with pytest.raises(SandboxUnavailable, match="no tar archive"):
        images.add("a:1", b"no archive", {})
    assert images.find("a:1") is None
    assert list((folder / "roots").iterdir()) == []


@pytest.mark.parametrize(("mode", "words"), [(0o700, "closed to other users"), (0o777, "writable for them")])
def test_a_folder_that_containers_cannot_reach_or_others_can_change_is_refused(folder, mode, words):
    folder.chmod(mode)
    with pytest.raises(SandboxUnavailable, match=words) as refused:
        roots(folder).add("a:1", archive(b"x"), {})
    assert str(folder) in refused.value.advice()


def test_nobody_else_can_hold_the_locks_and_a_held_one_is_not_waited_for_without_an_end(folder):
    images = roots(folder, deadline=0.1)
    images.add("a:1", archive(b"x"), {})
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in ("lock", "building")} == {0o600}
    with (folder / "lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SandboxUnavailable, match="holds"), images.unchanged():
            pass
    with images.unchanged(), images.unchanged():
        pass
