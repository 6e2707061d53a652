# SPDX-License-Identifier: Apache-2.0
import io
import secrets
import tarfile
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from sandbox_world import CACHE, sh

from yett.errors import SandboxUnavailable
from yett.sandbox.images import PACKAGES_LABEL, RUNNER_LABEL, ImageStore, build_own
from yett.sandbox.images.own import exists, look_through
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.verify import verify_hardening


@pytest.fixture
def store():
    with ImageStore(SandboxSettings().engine) as found:
        yield found


def entry(name, data=b"", mode=0o755, **more):
    info = tarfile.TarInfo(name)
    info.mode, info.size = mode, len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def archive(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data) if data else None)
    return out.getvalue()


def looked(*entries):
    with tarfile.open(fileobj=io.BytesIO(archive(*entries))) as tar:
        return look_through(tar)


BUSYBOX = Path("/bin/busybox").read_bytes()
HOSTILE = (
    entry("bin", type=tarfile.DIRTYPE),
    entry("bin/busybox", BUSYBOX),
    entry("bin/sh", type=tarfile.SYMTYPE, linkname="busybox"),
    entry("bin/cat", type=tarfile.SYMTYPE, linkname="busybox"),
    entry("bin/find", type=tarfile.SYMTYPE, linkname="busybox"),
    entry("bin/su", b"#!/bin/sh\nid\n", mode=0o6755),
    entry("bin/su-again", type=tarfile.LNKTYPE, linkname="bin/su", mode=0o6755),
    entry("shared", type=tarfile.DIRTYPE, mode=0o2775),
    entry("yett-runner", type=tarfile.DIRTYPE),
    entry("yett-runner/decoy", b"x"),
    entry("workspace", type=tarfile.SYMTYPE, linkname="/bin"),
    entry("tmp", type=tarfile.DIRTYPE, mode=0o1777),
)


@dataclass
class Workshop:
    """Images under names of our own, removed at the end."""

    client: docker.APIClient
    names: list[str]

    def image(self, *entries, changes=()):
        name = f"yett-test/{secrets.token_hex(4)}"
        self.client.import_image_from_data(
            archive(*entries), repository=name, tag="latest", changes=list(changes)
        )
        self.names.append(name)
        return name

    def target(self):
        self.names.append(f"yett-test/{secrets.token_hex(4)}:made")
        return self.names[-1]


@pytest.fixture
def workshop():
    client = docker.APIClient(timeout=60)
    made = Workshop(client, [])
    yield made
    for name in reversed(made.names):
        for found in client.images(name=name, quiet=True):
            client.remove_image(found, force=True)
    client.close()


@pytest.mark.anyio
@pytest.mark.engine
async def test_a_local_image_serves_with_every_control_in_place_and_no_setuid_file(
    workshop, store, sandboxes_of, settings_of
):
    source = workshop.image(
        *HOSTILE,
        changes=["USER root", 'ENTRYPOINT ["/bin/su"]', "ENV LD_PRELOAD=/bin/evil.so", "LABEL yett.runner=1"],
    )
    built = build_own(store, source, name=workshop.target(), cache=CACHE)
    assert built.new
    assert any("taken off 3" in note for note in built.notes)
    assert any("ripgrep" in note for note in built.notes)
    config = workshop.client.inspect_image(built.name)["Config"]
    assert (config["User"], config["Entrypoint"]) == ("60871:60871", ["/yett-runner"])
    assert config["Labels"][RUNNER_LABEL] == "2"
    assert not build_own(store, source, name=built.name, cache=CACHE).new
    async with sandboxes_of(image=built.name) as pool, pool.lease("s") as box:
        found = await box.run(sh("find / -xdev -perm +6000; ls -d /bin/su /bin/su-again /shared"))
        assert found.stdout.split() == [b"/bin/su", b"/bin/su-again", b"/shared"]
        controls = await verify_hardening(box, settings_of(image=built.name))
    assert [c for c in controls if not c.ok] == []


@pytest.mark.anyio
@pytest.mark.engine
async def test_an_image_that_is_missing_or_has_no_runner_names_the_command_that_makes_one(
    workshop, sandboxes_of
):
    bare = workshop.image(*HOSTILE[:2])
    for image, words in (("yett-test/none", "has no image yett-test/none"), (bare, "has no /yett-runner")):
        async with sandboxes_of(image=image) as pool:
            with pytest.raises(SandboxUnavailable, match=words) as refused:
                async with pool.lease("s"):
                    pass
        assert "yett sandbox build --from IMAGE" in refused.value.advice()


@pytest.mark.engine
def test_an_image_without_a_shell_is_made_and_the_loss_is_named(workshop, store):
    source = workshop.image(entry("app", b"\x7fELF"))
    built = build_own(store, source, name=workshop.target(), cache=CACHE)
    assert any("no /bin/sh" in note for note in built.notes)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("VOLUME /data", r"declares volumes \(/data\)"),
        ("ONBUILD RUN touch /x", "has ONBUILD steps"),
    ],
)
def test_an_image_that_would_bring_a_disk_or_run_a_step_is_refused(workshop, store, change, words):
    source = workshop.image(*HOSTILE, changes=[change])
    target = workshop.target()
    with pytest.raises(SandboxUnavailable, match=words) as refused:
        build_own(store, source, name=target, cache=CACHE)
    assert "docker export" in refused.value.advice()
    assert store.inspect(target) is None


@pytest.mark.engine
def test_an_image_that_is_not_there_is_not_pulled(store):
    with pytest.raises(SandboxUnavailable, match="has no image yett-test/none") as refused:
        build_own(store, "yett-test/none", name="yett-test/none:made", cache=CACHE)
    assert refused.value.advice() == "docker pull yett-test/none"


@pytest.mark.engine
def test_what_an_image_says_of_its_packages_cannot_become_an_instruction(workshop, store):
    said = b'bash 5.2-1 amd64\ngit 1"\nRUN amd64\njq 1" RUN x\ncurl 7.88-10+deb12u8 amd64\n'
    source = workshop.image(
        entry("etc", type=tarfile.DIRTYPE),
        entry("etc/yett", type=tarfile.DIRTYPE),
        entry("etc/yett/packages", said, mode=0o644),
    )
    built = build_own(store, source, name=workshop.target(), cache=CACHE)
    assert built.packages == ("bash=5.2-1", "curl=7.88-10+deb12u8")
    labels = workshop.client.inspect_image(built.name)["Config"]["Labels"]
    assert labels[PACKAGES_LABEL] == "bash=5.2-1 curl=7.88-10+deb12u8"


def test_file_capabilities_and_hard_links_of_setuid_files_are_found():
    ping = entry("bin/ping", b"p", pax_headers={"SCHILY.xattr.security.capability": "\x01\x00"})
    seen = looked(*HOSTILE, ping)
    assert set(seen.stripped) == {"bin/su", "bin/su-again", "shared", "bin/ping"}
    assert all(not made.mode & 0o6000 for made in seen.stripped.values())
    assert seen.stripped["bin/su-again"].data == seen.stripped["bin/su"].data


def test_a_shell_behind_links_is_found_and_a_circle_ends():
    seen = looked(
        entry("usr/bin/dash", b"s"),
        entry("usr/bin/sh", type=tarfile.SYMTYPE, linkname="dash"),
        entry("bin", type=tarfile.SYMTYPE, linkname="usr/bin"),
        entry("sbin", type=tarfile.SYMTYPE, linkname="/../usr/bin"),
        entry("a", type=tarfile.SYMTYPE, linkname="b"),
        entry("b", type=tarfile.SYMTYPE, linkname="a"),
    )
    assert [exists(path, seen) for path in ("/bin/sh", "/sbin/sh", "/usr/bin/dash")] == [True] * 3
    assert [exists(path, seen) for path in ("/bin/rg", "/a", "/a/sh", "/usr")] == [False] * 4
