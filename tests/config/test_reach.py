# SPDX-License-Identifier: Apache-2.0
"""Law 7 at start: nobody else can write the rules, and nothing an agent reaches holds the gate's files."""

from pathlib import Path

import pytest

from yett.config.load import load, parse
from yett.errors import ConfigurationError

HERE = Path("/somewhere/yett.yaml")


@pytest.mark.parametrize(
    "reach",
    [
        "tools: {sql: {databases: {own: {url: 'sqlite:////s/yett.db'}}}}",
        "tools: {sql: {databases: {own: {url: 'sqlite:///../s/yett.db'}}}}",
        "upstreams: {files: {command: [server], sandbox: false, cwd: /s}}",
        "upstreams: {files: {command: [server], sandbox: false, cwd: /}}",
    ],
)
def test_a_database_or_an_upstream_on_the_gates_own_files_fails_the_start(reach):
    with pytest.raises(ConfigurationError, match="overlap"):
        parse(f"version: 1\nstate: /s\n{reach}\n", HERE)


def test_a_database_beside_the_configuration_is_fine():
    assert parse("version: 1\nstate: /s\ntools: {sql: {databases: {own: {url: 'sqlite:///x.db'}}}}\n", HERE)


@pytest.mark.parametrize("mode", [0o666, 0o620, 0o602])
def test_a_file_that_others_can_write_is_not_taken(tmp_path, mode):
    tmp_path.chmod(0o700)
    path = tmp_path / "yett.yaml"
    path.write_text("version: 1\n")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match="others than you can change"):
        load(path)
    path.chmod(0o644)
    assert load(path).settings.version == 1


def test_a_file_in_a_folder_that_others_can_write_is_not_taken(tmp_path):
    path = tmp_path / "yett.yaml"
    path.write_text("version: 1\n")
    path.chmod(0o600)
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigurationError, match="others than you can change"):
        load(path)
    tmp_path.chmod(0o1777)
    assert load(path).settings.version == 1
