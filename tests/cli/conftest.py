# SPDX-License-Identifier: Apache-2.0
"""The command line as a person uses it: words in, exit code and text out."""

from dataclasses import dataclass

import pytest

from yett.cli.commands import run


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture
def yett(capsys, monkeypatch, tmp_path):
    """Runs `yett WORDS` for a person with an empty home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for variable in ("YETT_CONFIG", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)

    def command(*words):
        capsys.readouterr()
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Done(code, said.out, said.err)

    return command


@pytest.fixture
def written(tmp_path):
    """Writes a yett.yaml and gives its path."""

    def write(text):
        path = tmp_path / "c" / "yett.yaml"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text("version: 1\nstate: state\nlisten: { http: null }\n" + text, encoding="utf-8")
        return path

    return write
