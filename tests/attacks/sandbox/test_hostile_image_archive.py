# SPDX-License-Identifier: Apache-2.0
"""An image's archive that wants to write outside of its folder, or to bring what no container may hold."""

import io
import os
import stat
import tarfile
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yett.errors import SandboxUnavailable
from yett.sandbox.runc_unpack import unpack


def entry(name, kind=tarfile.REGTYPE, *, link="", mode=0o644, data=b"x"):
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode = kind, link, mode
    made.size = len(data) if kind == tarfile.REGTYPE else 0
    return made, data


def folder(name, mode=0o755):
    return entry(name, tarfile.DIRTYPE, mode=mode)


def link(name, target):
    return entry(name, tarfile.SYMTYPE, link=target)


def hard(name, target):
    return entry(name, tarfile.LNKTYPE, link=target)


def unpacked(where, *entries, size=1 << 20, files=1000):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for made, data in entries:
            tar.addfile(made, io.BytesIO(data) if made.isreg() else None)
    out.seek(0)
    where.mkdir(exist_ok=True)
    with tarfile.open(fileobj=out) as tar:
        unpack(tar, where, size=size, files=files)
    return where


@pytest.fixture
def outside(tmp_path):
    """A file beside the image's folder, which nothing may touch or reach."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    victim.chmod(0o600)
    yield victim
    assert victim.read_text() == "mine"
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600
    assert victim.stat().st_nlink == 1


@pytest.mark.parametrize(
    "entries",
    [
        [entry("../victim")],
        [entry("a/../../victim")],
        [link("out", ".."), entry("out/victim")],
        [link("out", "/"), entry("out/tmp/yett-never")],
        [folder("a"), link("a/out", "../.."), folder("a/out/new")],
        [hard("mine", "../victim")],
        [link("out", ".."), hard("mine", "out/victim")],
        [link("l", "../victim"), hard("mine", "l")],
        [link("etc", "..")],
        [link("run", "/run")],
        [link("tmp", "/")],
        [folder("etc/resolv.conf")],
        [entry("a"), entry("a/b")],
        [entry("d/.wh.gone")],
    ],
)
def test_what_leads_out_of_the_folder_is_refused(tmp_path, outside, entries):
    with pytest.raises(SandboxUnavailable, match="not unpacked"):
        unpacked(tmp_path / "image", *entries)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["image", "victim"]


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_fifos_are_refused(tmp_path, kind):
    with pytest.raises(SandboxUnavailable, match="neither file, folder nor link"):
        unpacked(tmp_path / "image", entry("bin/null", kind))


def test_what_lies_where_the_kernel_mounts_is_left_out(tmp_path):
    image = unpacked(
        tmp_path / "image", entry("dev/null", tarfile.CHRTYPE), entry("proc/x"), entry("./sys/y")
    )
    assert [list((image / name).iterdir()) for name in ("dev", "proc", "sys")] == [[], [], []]


def test_an_absolute_path_is_the_images_own(tmp_path):
    assert (unpacked(tmp_path / "image", entry("/deep/file")) / "deep" / "file").read_bytes() == b"x"


def test_a_later_entry_replaces_a_link_and_does_not_follow_it(tmp_path, outside):
    image = unpacked(
        tmp_path / "image", link("etc/hostname", "../../victim"), link("f", "../victim"), entry("f")
    )
    assert (image / "f").read_bytes() == b"x"
    assert not (image / "etc" / "hostname").is_symlink()


def test_links_inside_are_kept_as_they_are(tmp_path):
    image = unpacked(tmp_path / "image", entry("a"), link("b", "/etc/passwd"), hard("c", "a"))
    assert str((image / "b").readlink()) == "/etc/passwd"
    assert (image / "c").samefile(image / "a")


def test_nobody_becomes_root_by_it_and_nobody_but_root_writes_to_it(tmp_path):
    image = unpacked(
        tmp_path / "image", entry("su", mode=0o6777), folder("open", 0o1777), entry("r", mode=0o666)
    )
    modes = {name: stat.S_IMODE((image / name).stat().st_mode) for name in ("su", "open", "r")}
    assert modes == {"su": 0o755, "open": 0o755, "r": 0o644}
    assert {(image / name).stat().st_uid for name in modes} == {os.geteuid()}


def test_bytes_and_entries_are_bounded(tmp_path):
    unpacked(tmp_path / "fits", entry("a", data=b"x" * 10), entry("b"), size=11, files=2)
    for more in ({"size": 10}, {"files": 1}):
        with pytest.raises(SandboxUnavailable, match="larger"):
            unpacked(
                tmp_path / "image", entry("a", data=b"x" * 10), entry("b"), **{"files": 2, "size": 11, **more}
            )


def test_the_hosts_name_servers_and_hosts_are_not_in_it(tmp_path):
    image = unpacked(tmp_path / "image", entry("etc/resolv.conf", data=b"nameserver 10.0.0.53\n"))
    assert (image / "etc" / "resolv.conf").read_text() == "nameserver 127.0.0.1\n"
    assert "localhost" in (image / "etc" / "hosts").read_text()


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", "etc", "run", ""]), min_size=1, max_size=4).map(
    "/".join
)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entries=st.lists(st.tuples(NAMES, KINDS, NAMES), max_size=6))
def test_no_archive_at_all_writes_outside(tmp_path_factory, entries):
    around = tmp_path_factory.mktemp("around")
    (around / "victim").write_text("mine")
    with suppress(SandboxUnavailable):
        unpacked(around / "image", *(entry(name, kind, link=target) for name, kind, target in entries))
    assert sorted(p.name for p in around.iterdir()) == ["image", "victim"]
    assert (around / "victim").stat().st_nlink == 1
