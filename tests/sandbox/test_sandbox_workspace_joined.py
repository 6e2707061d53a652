# SPDX-License-Identifier: Apache-2.0
"""From `tools.shell.workspace` to the settings of a container."""

import os
from pathlib import Path

import pytest

from yett.config.settings import Shell
from yett.errors import ConfigurationError
from yett.joining import sandbox_settings
from yett.sandbox.settings import PROTECTED
from yett.state_folder import check_apart


def joined(**workspace):
    return sandbox_settings(Shell(workspace=workspace)).workspace


def test_the_folder_is_resolved_and_its_owner_is_who_programs_are(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    if os.getuid() == 0:
        os.chown(tmp_path / "real", 1234, 1235)
    made = joined(path=tmp_path / "link", mode="read-write", quota="2MiB")
    found = (tmp_path / "real").stat()
    assert (made.path, made.uid, made.gid) == (str(tmp_path / "real"), found.st_uid, found.st_gid)
    assert (made.writable, made.quota, made.protect) == (True, 2 << 20, PROTECTED)


def test_a_folder_of_roots_is_refused_for_writing(tmp_path):
    with pytest.raises(ConfigurationError, match="belongs to root"):
        joined(path=tmp_path, mode="read-write")
    assert joined(path=tmp_path).writable is False


def test_a_folder_that_is_not_there_fails_start_up(tmp_path):
    with pytest.raises(ConfigurationError, match="No such file"):
        joined(path=tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="no folder"):
        joined(path=tmp_path / "file")


def test_nothing_protected_is_said_so(tmp_path):
    assert joined(path=tmp_path, protect=[]).protect == ()


@pytest.mark.parametrize("workspace", ["/run", "/run/yett-1", "/run/yett-1/below", "/srv/docker", "/"])
def test_a_workspace_with_the_sockets_of_the_sandbox_fails_start_up(workspace):
    with pytest.raises(ConfigurationError, match="sockets of the sandbox"):
        check_apart(Path(workspace), Path("/run/yett-1"), "unix:///srv/docker/s.sock")


def test_a_workspace_beside_them_is_fine():
    check_apart(Path("/home/kim/project"), Path("/run/yett-1"), "unix:///srv/docker/s.sock")
