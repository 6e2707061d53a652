# SPDX-License-Identifier: Apache-2.0
"""A folder of this host as a writable workspace, for the tests and the attacks."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from yett.sandbox.quota import WorkspaceQuota
from yett.sandbox.settings import HostWorkspace
from yett.sandbox.watched import WatchedSandboxes

OWNER = 1234


def given(path: Path) -> Path:
    """The path, given to the owner of the workspace with everything in it."""
    for each in (path, *path.rglob("*")):
        os.chown(each, OWNER, OWNER, follow_symlinks=False)
    return path


def shared(path: Path, **changes) -> HostWorkspace:
    """The settings of a writable workspace. Owned by the user of the test, or by OWNER where that is root."""
    found = given(path).stat() if os.getuid() == 0 else path.stat()
    calm = {"path": str(path), "writable": True, "uid": found.st_uid, "gid": found.st_gid}
    return HostWorkspace(**{**calm, **changes})


@pytest.fixture
def project(tmp_path):
    """A folder with a repository and a file, beside which there is a secret."""
    folder = tmp_path / "project"
    (folder / ".git" / "hooks").mkdir(parents=True)
    (folder / ".git" / "config").write_text("[core]\n")
    (folder / ".envrc").write_text("export A=1\n")
    (folder / "notes.txt").write_text("hello\n")
    (tmp_path / "secret").write_text("HOSTSECRET")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "secret").write_text("HOSTSECRET")
    return folder


@pytest.fixture
def writable(project, sandboxes_of):
    """Makes watched sandboxes on the project."""

    @asynccontextmanager
    async def make(limits=None, **changes):
        workspace = shared(project, **changes)
        async with (
            sandboxes_of(workspace=workspace, **(limits or {})) as pool,
            WatchedSandboxes(pool, WorkspaceQuota(workspace)) as watched,
        ):
            yield watched

    return make
