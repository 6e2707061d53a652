# SPDX-License-Identifier: Apache-2.0
import functools
import shutil
import stat
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from yett.cli import init_sandbox
from yett.config.load import load
from yett.sandbox.images import RUNNER_LABEL
from yett.sandbox.settings import SandboxSettings


@pytest.fixture
def no_engine(monkeypatch, tmp_path):
    missing = functools.partial(SandboxSettings, engine=f"unix://{tmp_path}/none.sock")
    monkeypatch.setattr("yett.cli.init_sandbox.SandboxSettings", missing)
    monkeypatch.setattr("yett.cli.init_sandbox._without_an_engine", lambda: None)


def test_without_an_engine_the_file_has_no_sandbox_tools_and_says_how_to_have_them(yett, no_engine, tmp_path):
    done = yett("init")
    path = tmp_path / "home" / ".config" / "yett" / "yett.yaml"
    assert done.code == 0
    assert done.out.startswith(f"No sandbox: no container engine answers at unix://{tmp_path}/none.sock")
    assert "  yett init --force\n" in done.out
    tools = load(path).settings.tools
    assert tools.shell is None
    assert tools.http is not None
    assert yett("policy", "test").code == 0
    assert yett("policy", "lint").code == 0
    assert yett("policy", "explain", "--as", "my-agent", "shell_run").code == 2


def test_the_file_and_its_folder_are_for_its_owner_alone(yett, no_engine, tmp_path):
    yett("init")
    folder = tmp_path / "home" / ".config" / "yett"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "yett.yaml").stat().st_mode) == 0o600


def test_an_existing_file_is_kept_unless_told_otherwise(yett, no_engine, tmp_path):
    path = tmp_path / "yett.yaml"
    path.write_text("mine")
    done = yett("init", "--config", path)
    assert done.code == 2
    assert done.err == f"yett: {path} exists\n  keep it, or write over it with --force\n"
    assert path.read_text() == "mine"
    assert yett("init", "--config", path, "--force").code == 0
    assert load(path).state == tmp_path / "state"


@pytest.mark.parametrize(("name", "said"), [("Kim!", "pattern"), ("developer", "developer")])
def test_a_name_that_can_be_no_agent_writes_nothing(yett, no_engine, tmp_path, name, said):
    done = yett("init", "--agent", name, "--config", tmp_path / "yett.yaml")
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "yett.yaml").exists()


def named(out):
    """The image that the first line names."""
    return out.splitlines()[0].partition("the image ")[2].removesuffix(" is there.")


@pytest.mark.engine
def test_with_an_engine_the_file_has_a_sandbox_and_its_own_tests_hold(yett, tmp_path):
    done = yett("init", "--agent", "coder")
    assert done.out.startswith("Container engine: answers")
    settings = load(tmp_path / "home" / ".config" / "yett" / "yett.yaml").settings
    assert settings.tools.shell is not None
    assert (settings.tools.shell.driver, settings.tools.shell.image) == ("docker", named(done.out))
    assert yett("policy", "test").code == 0
    assert yett("policy", "explain", "--as", "coder", "file_read", '{"path": "/workspace/.env"}').code == 1
    assert yett("policy", "explain", "--as", "coder", "file_read", '{"path": "/workspace/a"}').code == 0


def test_what_comes_next_is_printed_with_the_file_it_is_about(yett, no_engine, tmp_path):
    done = yett("init", "--config", tmp_path / "yett.yaml")
    assert f"  yett agents add my-agent --config {tmp_path}/yett.yaml\n" in done.out


def with_base(runner):
    """Images among which base has a runner of this version."""
    return {"yett/tiny:latest": {RUNNER_LABEL: "1"}, "yett/base": {RUNNER_LABEL: runner}}


@pytest.mark.parametrize(
    ("images", "image"),
    [
        ({"yett/tiny:latest": {RUNNER_LABEL: "1"}}, "yett/tiny"),
        (with_base("1"), "yett/base"),
        (with_base("0"), "yett/tiny"),
    ],
    ids=["not built", "built", "built by another version"],
)
def test_base_is_chosen_where_it_is_built_for_this_version(monkeypatch, images, image):
    class Store:
        def labels(self, name):
            return images.get(name)

    tiny = SimpleNamespace(name="yett/tiny:latest")
    monkeypatch.setattr("yett.sandbox.images.build_tiny", lambda store, cache: tiny)
    assert init_sandbox._image(Store()) == image


def test_without_an_engine_root_gets_the_runc_driver(yett, monkeypatch, tmp_path):
    # Needs root and runc, as the driver's own tests do.
    images = Path(tempfile.mkdtemp(prefix="yett-images-"))
    images.chmod(0o755)
    without = functools.partial(
        SandboxSettings,
        engine=f"unix://{tmp_path}/none.sock",
        runc_images=str(images),
        runc_state=str(tmp_path / "runc"),
    )
    monkeypatch.setattr("yett.cli.init_sandbox.SandboxSettings", without)
    try:
        done = yett("init")
    finally:
        shutil.rmtree(images)
    assert done.out.startswith("No container engine answers; runc ")
    shell = load(tmp_path / "home" / ".config" / "yett" / "yett.yaml").settings.tools.shell
    assert (shell.driver, shell.image) == ("runc", "yett/tiny")
