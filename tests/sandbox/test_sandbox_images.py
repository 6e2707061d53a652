# SPDX-License-Identifier: Apache-2.0
import io
import shutil
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import docker
import pytest
from sandbox_world import CACHE, TAG, sh

from yett.errors import SandboxUnavailable
from yett.sandbox.images import (
    ARCHITECTURES,
    INPUTS_LABEL,
    RUNNER_LABEL,
    ImageStore,
    build_base,
    build_tiny,
    compile_runner,
    seccomp_profile,
    sources,
    tiny_archive,
)
from yett.sandbox.images.architecture import architecture_named
from yett.sandbox.images.archive import Entry, Layer
from yett.sandbox.images.tiny import applets_of
from yett.sandbox.settings import MIB, SandboxSettings


@pytest.fixture
def store():
    with ImageStore(SandboxSettings().engine) as found:
        yield found


@pytest.fixture
def client():
    found = docker.APIClient(timeout=30)
    yield found
    found.close()


def entries_of(archive: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {entry.name: entry for entry in tar.getmembers()}


def test_equal_inputs_give_equal_bytes_in_any_order_of_applets():
    one = tiny_archive(b"runner", b"busybox", ["sh", "cat", "ls"], {"usr/bin/rg": b"r", "lib/c.so": b"c"})
    assert one == tiny_archive(
        b"runner", b"busybox", ["ls", "sh", "cat", "sh"], {"lib/c.so": b"c", "usr/bin/rg": b"r"}
    )
    assert one != tiny_archive(b"runner2", b"busybox", ["sh", "cat", "ls"])


def test_the_archive_holds_the_runner_and_no_setuid_file_no_device_and_no_time():
    entries = entries_of(tiny_archive(b"r", b"b", ["sh", "busybox"], {"usr/lib/x/y.so": b"y"}))
    assert entries["yett-runner"].mode == 0o755
    assert (entries["bin/sh"].linkname, entries["workspace"].uid) == ("busybox", 60871)
    assert not entries["bin/busybox"].issym()
    assert entries["usr/lib/x"].isdir()
    for entry in entries.values():
        assert entry.isdir() or entry.isfile() or entry.issym()
        assert (entry.mode & 0o6000, entry.mtime) == (0, 0)


def test_folders_come_before_what_is_in_them_and_the_last_entry_of_a_path_wins():
    layer = Layer()
    layer.file("a/b/c", b"1")
    layer.add("a/b/c", Entry(mode=0o6755, data=b"2"))
    names = list(entries_of(layer.bytes()))
    assert names == ["a", "a/b", "a/b/c"]
    assert entries_of(layer.bytes())["a/b/c"].mode == 0o755


def test_the_runner_is_static_small_and_the_same_every_time(tmp_path):
    one, two = compile_runner(tmp_path / "a"), compile_runner(tmp_path / "b")
    assert one.read_bytes() == two.read_bytes()
    assert b"/ld-" not in one.read_bytes()
    if shutil.which("musl-gcc"):
        assert one.stat().st_size < 64 * 1024
    before = one.stat().st_mtime_ns
    assert compile_runner(tmp_path / "a").stat().st_mtime_ns == before  # from the cache


@pytest.mark.parametrize(
    ("machine", "packages"), [("amd64", "gcc-x86-64-linux-gnu"), ("arm64", "gcc-aarch64-linux-gnu")]
)
def test_without_a_compiler_for_the_machine_there_is_advice(tmp_path, monkeypatch, machine, packages):
    monkeypatch.setenv("PATH", str(tmp_path))
    known = ARCHITECTURES[machine]
    with pytest.raises(SandboxUnavailable, match="no C compiler") as refused:
        compile_runner(tmp_path / "cache", known)
    assert ("musl-tools" if known.native else packages) in refused.value.advice()
    with pytest.raises(SandboxUnavailable, match="no C compiler") as refused:
        compile_runner(tmp_path / "cache", replace(known, machine="never"))
    assert packages in refused.value.advice()


def test_machines_are_known_by_debians_name_and_the_kernels():
    assert architecture_named("x86_64") is architecture_named("amd64")
    assert architecture_named("aarch64") is architecture_named("arm64")
    with pytest.raises(SandboxUnavailable, match="no recipe for riscv64"):
        architecture_named("riscv64")


def test_the_sources_are_found_in_this_checkout():
    assert (sources() / "runner" / "main.c").is_file()
    assert '"defaultAction":"SCMP_ACT_ERRNO"' in seccomp_profile()


def test_the_applets_in_a_busybox_are_what_it_says_of_itself():
    said = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True)
    assert list(applets_of(Path("/bin/busybox").read_bytes())) == said.stdout.split()
    with pytest.raises(SandboxUnavailable, match="table of applets"):
        applets_of(b"\x7fELF nothing of the kind")


@pytest.mark.engine
def test_a_busybox_that_is_missing_or_not_static_is_refused(tmp_path, store):
    for busybox, words in (
        (tmp_path / "none", "no busybox"),
        (Path(sys.executable).resolve(), "not statically linked"),
    ):
        with pytest.raises(SandboxUnavailable, match=words) as refused:
            build_tiny(store, cache=tmp_path, busybox=busybox)
        assert "busybox-static" in refused.value.advice()


@pytest.mark.engine
def test_a_second_build_does_nothing_and_a_stale_image_is_replaced(tiny_image, store, client):
    built = build_tiny(store, cache=CACHE, tag=TAG)
    assert (built.name, built.new) == (tiny_image, False)
    client.tag(tiny_image, "yett/tiny", f"{TAG}-again")
    assert not build_tiny(store, cache=CACHE, tag=f"{TAG}-again").new
    client.import_image_from_data(
        b"\0" * 10240, repository="yett/tiny", tag=f"{TAG}-again", changes=[f"LABEL {INPUTS_LABEL}=old"]
    )
    assert build_tiny(store, cache=CACHE, tag=f"{TAG}-again").new
    again = build_tiny(store, cache=CACHE, tag=f"{TAG}-again", fresh=True)
    assert (again.new, again.layers) == (True, built.layers)  # the same bytes, whenever they are made
    config = client.inspect_image(f"yett/tiny:{TAG}-again")["Config"]
    assert (config["User"], config["Entrypoint"]) == ("60871:60871", ["/yett-runner"])
    assert config["Labels"][RUNNER_LABEL] == "2"
    client.remove_image(f"yett/tiny:{TAG}-again")


@pytest.mark.engine
def test_tiny_stays_small_and_without_ripgrep_it_says_so(tiny_image, store, client, tmp_path):
    assert build_tiny(store, cache=CACHE, tag=TAG).size < 12 * MIB
    bare = build_tiny(store, cache=CACHE, tag=f"{TAG}-bare", ripgrep=str(tmp_path / "rg"))
    assert bare.size < 3 * MIB
    assert "apt-get install ripgrep" in bare.notes[0]
    client.remove_image(f"yett/tiny:{TAG}-bare")


@pytest.mark.anyio
@pytest.mark.engine
async def test_ripgrep_of_the_tiny_image_works_in_a_sandbox(sandboxes_of):
    async with sandboxes_of() as pool, pool.lease("s") as box:
        await box.write("/workspace/a.txt", b"one\nneedle here\n")
        found = await box.run(sh("rg --json --line-number needle /workspace"))
    assert (found.exit_code, found.stderr) == (0, b"")
    assert b'"type":"match"' in found.stdout
    assert b'"line_number":2' in found.stdout


@pytest.mark.engine
def test_without_mmdebstrap_the_package_is_named(tmp_path, monkeypatch, store):
    for name in ("musl-gcc", "make", "gcc"):
        (tmp_path / name).symlink_to(shutil.which(name))
    compiled = compile_runner(tmp_path / "cache")  # found in the cache, whatever PATH says
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxUnavailable, match="mmdebstrap, which is not here") as refused:
        build_base(store, cache=tmp_path / "cache", tag="never")
    assert "apt-get install mmdebstrap" in refused.value.advice()
    assert compiled.exists()


def test_no_engine_is_said_and_not_waited_for(tmp_path):
    with (
        ImageStore(f"unix://{tmp_path}/none.sock") as store,
        pytest.raises(SandboxUnavailable, match="no container engine"),
    ):
        store.machine()


def test_in_a_wheel_the_sources_are_inside_the_package(tmp_path):
    checkout = sources().parent
    shutil.copytree(checkout / "src" / "yett", tmp_path / "yett")
    shutil.copytree(sources(), tmp_path / "yett" / "sandbox" / "images" / "recipes")
    ask = "from yett.sandbox import images; print(images.sources()); images.seccomp_profile()"
    done = subprocess.run(
        [sys.executable, "-c", ask], env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )
    recipes = tmp_path / "yett" / "sandbox" / "images" / "recipes"
    assert (done.stdout.strip(), done.stderr) == (str(recipes), "")
