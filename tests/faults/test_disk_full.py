# SPDX-License-Identifier: Apache-2.0
"""A full disk under the log: nothing runs, it is said, and it goes on by itself when there is room."""

import contextlib
import subprocess

import anyio
import pytest

from running import RunningGateway, rule_of, text_of, until

pytestmark = pytest.mark.anyio


@pytest.fixture
def cramped():
    """A gateway whose log is on a file system of 512 KiB."""
    with RunningGateway(start=False) as gateway:
        gateway.audit.mkdir(parents=True)
        gateway.state.chmod(0o700)
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs", str(gateway.audit)], check=True
        )
        try:
            gateway.start()
            gateway.issue_all()
            yield gateway
        finally:
            gateway.stop()
            subprocess.run(["umount", str(gateway.audit)], check=True)


def fill(gateway):
    filler = gateway.audit / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return filler


async def until_refused(gateway, client):
    """What is left of the last page may take a record or two."""
    for number in range(200):
        reply = await gateway.fetch(client, f"/full/{number}")
        if reply.is_error:
            return reply
    raise AssertionError("the disk is full and everything goes on")


async def test_nothing_runs_on_a_full_disk_and_it_recovers(cramped):
    async with cramped.client() as client:
        assert "seen" in text_of(await cramped.fetch(client, "/before"))
        filler = fill(cramped)
        assert rule_of(await until_refused(cramped, client)) == "gate.audit-unavailable"
        hits = len(cramped.witness.hits)
        for method in ("GET", "POST", "DELETE"):
            reply = await cramped.fetch(client, "/during", method)
            assert rule_of(reply) == "gate.audit-unavailable"
        async with cramped.client("stdio", mode="legacy", agent="research-2") as other:
            assert rule_of(await cramped.fetch(other, "/during")) == "gate.audit-unavailable"
        assert len(cramped.witness.hits) == hits
        filler.unlink()
        replies = []

        async def again():
            replies.append(await cramped.fetch(client, "/after"))
            return not replies[-1].is_error

        for _ in range(100):
            if await again():
                break
            await anyio.sleep(0.05)
        assert "seen" in text_of(replies[-1])
        assert cramped.witness.count("/after") == 1
    what = [fields.get("what") for _, _, fields in cramped.records("system")]
    assert "log-recovered" in what
    report = cramped.verified()
    await until(lambda: cramped.verified().unfinished == ())
    assert report.records


async def test_a_gateway_does_not_start_on_a_full_disk(cramped):
    cramped.stop()
    fill(cramped)
    code, said = cramped.run_to_end()
    assert code == 3
    assert "No space left" in said
    (cramped.audit / "filler").unlink()
    cramped.start()
    async with cramped.client() as client:
        assert "seen" in text_of(await cramped.fetch(client, "/started"))
