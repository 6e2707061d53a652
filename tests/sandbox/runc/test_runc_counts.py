# SPDX-License-Identifier: Apache-2.0
import os
from pathlib import Path

import pytest
from sandbox_world import sh

from yett.errors import SandboxUnavailable
from yett.sandbox.runc_counts import bound_counts, counts_of

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def test_all_containers_together_have_half_of_what_the_hosts_root_has(tmp_path):
    (tmp_path / "max_user_instances").write_text("128\n")
    (tmp_path / "max_user_watches").write_text("8192\n")
    assert counts_of(32, host=tmp_path) == {"instances": 2, "watches": 128}
    assert counts_of(1000, host=tmp_path)["instances"] == 1


def test_a_kernel_without_inotify_has_nothing_to_bound(tmp_path):
    assert counts_of(32, host=tmp_path / "none") == {}


def test_the_hosts_own_limits_are_never_written():
    # Its present values, so that this test does no harm where the control is gone.
    present = {n: int(Path(f"/proc/sys/user/max_inotify_{n}").read_text()) for n in ("instances", "watches")}
    pidfd = os.pidfd_open(os.getpid())
    try:
        with pytest.raises(SandboxUnavailable, match="no user namespace of its own"):
            bound_counts(os.getpid(), pidfd, present, path=PATH, deadline=5.0)
    finally:
        os.close(pidfd)


def test_without_the_program_that_enters_it_no_container_is_made(tmp_path):
    with pytest.raises(SandboxUnavailable, match="no nsenter"):
        bound_counts(1, -1, {"instances": 1}, path=str(tmp_path), deadline=5.0)


@pytest.mark.anyio
async def test_a_container_reads_its_own_bound_and_cannot_raise_it(sandboxes_of):
    own = "/proc/sys/user/max_inotify_instances"
    async with sandboxes_of(containers=4) as boxes, boxes.lease("s") as box:
        seen = await box.run(sh(f"cat {own}; echo 1000 > {own}; cat {own}"))
        expected = str(counts_of(4)["instances"]).encode()
        assert seen.stdout.split() == [expected, expected]
