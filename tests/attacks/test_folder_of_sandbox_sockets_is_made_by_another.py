# SPDX-License-Identifier: Apache-2.0
"""Another local user makes the folder in /tmp first: the engine, as root, would mount what they put there."""

from __future__ import annotations

import os

import pytest

from yett.errors import EnvironmentFault
from yett.state_folder import own_folder


def test_a_folder_that_is_not_there_is_made_for_this_user_alone(tmp_path):
    made = own_folder(tmp_path / "yett-1")
    assert made.stat().st_mode & 0o777 == 0o700
    assert own_folder(made) == made


def test_a_folder_that_others_can_enter_is_refused(tmp_path):
    (tmp_path / "yett-1").mkdir()
    (tmp_path / "yett-1").chmod(0o755)
    with pytest.raises(EnvironmentFault, match="not this user's alone"):
        own_folder(tmp_path / "yett-1")


def test_a_link_is_refused_wherever_it_leads(tmp_path):
    (tmp_path / "mine").mkdir(mode=0o700)
    (tmp_path / "yett-1").symlink_to(tmp_path / "mine")
    with pytest.raises(EnvironmentFault):
        own_folder(tmp_path / "yett-1")


def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    made = own_folder(tmp_path / "yett-1")
    monkeypatch.setattr(os, "geteuid", lambda: made.stat().st_uid + 1)
    with pytest.raises(EnvironmentFault):
        own_folder(made)
