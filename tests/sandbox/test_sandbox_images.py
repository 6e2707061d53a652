# SPDX-License-Identifier: Apache-2.0
import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import docker
import pytest
from sandbox_world import CACHE

from yett.errors import SandboxUnavailable
from yett.sandbox.engine import Engine
from yett.sandbox.images import (
    INPUTS_LABEL,
    build_tiny,
    compile_runner,
    seccomp_profile,
    sources,
    tiny_archive,
)
from yett.sandbox.settings import SandboxSettings


def test_equal_inputs_give_equal_bytes_in_any_order_of_applets():
    one = tiny_archive(b"runner", b"busybox", ["sh", "cat", "ls"])
    assert one == tiny_archive(b"runner", b"busybox", ["ls", "sh", "cat", "sh"])
    assert one != tiny_archive(b"runner2", b"busybox", ["sh", "cat", "ls"])


def test_the_archive_holds_the_runner_and_no_setuid_file_no_device_and_no_time():
    with tarfile.open(fileobj=io.BytesIO(tiny_archive(b"r", b"b", ["sh", "busybox"]))) as tar:
        entries = {entry.name: entry for entry in tar.getmembers()}
    assert entries["yett-runner"].mode == 0o755
    assert (entries["bin/sh"].linkname, entries["workspace"].uid) == ("busybox", 65534)
    assert not entries["bin/busybox"].issym()
    for entry in entries.values():
        assert entry.isdir() or entry.isfile() or entry.issym()
        assert (entry.mode & 0o6000, entry.mtime) == (0, 0)


def test_the_runner_is_static_small_and_the_same_every_time(tmp_path):
    one, two = compile_runner(tmp_path / "a"), compile_runner(tmp_path / "b")
    assert one.read_bytes() == two.read_bytes()
    assert b"/ld-" not in one.read_bytes()
    if shutil.which("musl-gcc"):
        assert one.stat().st_size < 64 * 1024
    before = one.stat().st_mtime_ns
    assert compile_runner(tmp_path / "a").stat().st_mtime_ns == before  # from the cache


def test_without_a_compiler_there_is_advice(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="no C compiler") as refused:
        compile_runner(tmp_path / "cache")
    assert "musl-tools" in refused.value.advice()


def test_the_sources_are_found_in_this_checkout():
    assert (sources() / "runner" / "main.c").is_file()
    assert '"defaultAction":"SCMP_ACT_ERRNO"' in seccomp_profile()


@pytest.mark.anyio
async def test_a_busybox_that_is_missing_or_not_static_is_refused(tmp_path):
    engine = Engine(SandboxSettings())
    for busybox, words in ((tmp_path / "none", "no busybox"), (Path("/bin/ls"), "not statically linked")):
        with pytest.raises(SandboxUnavailable, match=words) as refused:
            await build_tiny(engine, cache=tmp_path, busybox=busybox)
        assert "busybox-static" in refused.value.advice()
    await engine.aclose()


@pytest.mark.anyio
@pytest.mark.engine
async def test_a_second_build_does_nothing_and_a_stale_image_is_replaced(tiny_image):
    engine = Engine(SandboxSettings())
    client = docker.APIClient(timeout=30)
    try:
        assert await build_tiny(engine, cache=CACHE, tag="test") == (tiny_image, False)
        client.tag(tiny_image, "yett/tiny", "again")
        assert await build_tiny(engine, cache=CACHE, tag="again") == ("yett/tiny:again", False)
        client.import_image_from_data(
            b"\0" * 10240, repository="yett/tiny", tag="again", changes=[f"LABEL {INPUTS_LABEL}=old"]
        )
        assert await build_tiny(engine, cache=CACHE, tag="again") == ("yett/tiny:again", True)
        config = client.inspect_image("yett/tiny:again")["Config"]
        assert (config["User"], config["Entrypoint"]) == ("65534:65534", ["/yett-runner"])
        client.remove_image("yett/tiny:again")
    finally:
        client.close()
        await engine.aclose()


def test_in_a_wheel_the_sources_are_beside_the_module(tmp_path):
    """`sandbox_images` is packed as yett/sandbox/images, next to images.py; the module must win the name."""
    checkout = sources().parent
    shutil.copytree(checkout / "src" / "yett", tmp_path / "yett")
    shutil.copytree(sources(), tmp_path / "yett" / "sandbox" / "images")
    ask = "from yett.sandbox import images; print(images.sources()); images.seccomp_profile()"
    done = subprocess.run(
        [sys.executable, "-c", ask], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert (done.stdout.strip(), done.stderr) == (str(tmp_path / "yett" / "sandbox" / "images"), "")
