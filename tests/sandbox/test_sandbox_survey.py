# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys

from yett.sandbox.beneath import Folder
from yett.sandbox.survey import survey


def look(path, names=(), most_files=10_000):
    with Folder(str(path)) as folder:
        return survey(folder, names=names, most_files=most_files)


def test_what_is_counted_is_what_the_disk_has_given(project):
    before = look(project)
    (project / "big").write_bytes(b"x" * (1 << 20))
    os.link(project / "big", project / "again")  # counts once
    with (project / "sparse").open("wb") as file:
        file.truncate(1 << 40)  # counts nothing
    (project / "out").symlink_to(project.parent)  # is not followed
    seen = look(project)
    assert 1 << 20 <= seen.size - before.size < (1 << 20) + (64 << 10)
    assert seen.files - before.files == 4
    assert not seen.unseen


def test_a_protected_name_is_found_wherever_it_lies(project):
    (project / "sub" / ".git" / "hooks").mkdir(parents=True)
    found = look(project, names=(".git", ".envrc")).places
    assert set(found) == {".git", ".envrc", "sub/.git"}
    assert found["sub/.git"][1] == (project / "sub" / ".git").stat().st_ino


def test_too_many_files_are_said_and_not_counted_to_their_end(project):
    for number in range(50):
        (project / str(number)).touch()
    seen = look(project, most_files=20)
    assert seen.unseen == "it holds more than 20 files"
    assert seen.files == 20


def test_folders_deeper_than_the_limit_are_said(project):
    deep = project.joinpath(*(["d"] * 140))
    deep.mkdir(parents=True)
    (deep / "hidden").write_bytes(b"x" * 4096)
    assert look(project).unseen == "it has folders deeper than 128"


def test_a_folder_that_is_closed_to_us_is_said(project):
    closed = project / "closed"
    closed.mkdir()
    closed.chmod(0)
    script = (
        "import os, sys; from yett.sandbox.beneath import Folder; from yett.sandbox.survey import survey;"
        "f = Folder(sys.argv[1]); os.setresuid(65534, 65534, 65534);"
        "print(survey(f, names=(), most_files=100).unseen)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(project)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "closed: Permission denied"
