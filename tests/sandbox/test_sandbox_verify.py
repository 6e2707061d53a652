# SPDX-License-Identifier: Apache-2.0
import pytest

from yett.sandbox.look import COMMANDS, look_around
from yett.sandbox.verify import inspect, verify_hardening

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_the_kernel_agrees_with_every_control_that_was_asked_for(sandboxes_of, settings_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        controls = await verify_hardening(box, settings_of(), await boxes.engine.facts())
    assert len(controls) in {42, 43}  # not every kernel has /proc/sysrq-trigger
    assert [c for c in controls if not c.ok] == []


async def test_a_control_that_the_kernel_does_not_enforce_is_seen(sandboxes_of, settings_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        controls = await verify_hardening(
            box, settings_of(pids=7, memory=7 << 20, work_size=4096, open_files=9)
        )
    assert {c.control for c in controls if not c.ok} == {
        "pids",
        "memory",
        "swap",
        "mount /workspace",
        "open files",
    }


async def test_what_could_not_be_seen_is_not_in_order(settings_of):
    controls = inspect(dict.fromkeys(COMMANDS, ""), settings_of())
    assert {c.control for c in controls if c.ok} == {"security module", "block I/O"}  # with a note each
    assert all(c.seen == "not seen" or c.note or "block" in c.control for c in controls)


async def test_a_namespace_of_the_host_or_of_the_gateway_is_told_apart(sandboxes_of, settings_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        seen = await look_around(box)
    links = dict(line.split(" ") for line in seen["namespaces"].splitlines())
    shared = inspect(seen, settings_of(), own={"net": links["net"]})
    assert [(c.control, c.seen) for c in shared if not c.ok] == [("net namespace", "the gateway's")]
    first = seen | {"namespaces": seen["namespaces"].replace(links["pid"], "pid:[4026531836]")}
    assert [(c.control, c.seen) for c in inspect(first, settings_of()) if not c.ok] == [
        ("pid namespace", "the host's")
    ]


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"masked": "/proc/keys\nlooked"}, "masked paths that show"),
        ({"set_uid": "/bin/su\nended 1"}, "set-uid files of the image"),
        ({"set_uid": "ended 143"}, "set-uid files of the image"),
        ({"make_set_uid": "plain\nsuid"}, "set-uid files made"),
        ({"make_device": "device\nlooked"}, "device nodes made"),
        ({"init": "0\n\nlooked"}, "PID 1"),
        ({"nodes": "null sda"}, "device nodes"),
        ({"routes": "Iface\neth0 0"}, "routes"),
        ({"hostname": "vm"}, "host name"),
        ({"shares": "1024"}, "cpu shares"),
        ({"resolv": "nameserver 10.0.0.2"}, "name servers"),
    ],
)
async def test_each_sight_that_is_wrong_is_said(sandboxes_of, settings_of, change, wrong):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        seen = await look_around(box)
    assert [c.control for c in inspect(seen | change, settings_of()) if not c.ok] == [wrong]


async def test_a_mount_of_the_host_is_seen(sandboxes_of, settings_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        seen = await look_around(box)
    row = "200 80 254:0 /etc /host ro,relatime - ext4 /dev/vda rw\n201 80 254:0 / /disk rw - ext4 /dev/vda rw"
    controls = inspect(seen | {"mountinfo": f"{seen['mountinfo']}\n{row}"}, settings_of())
    assert {c.control: c.seen for c in controls if not c.ok} == {
        "mounts of the host": "/disk, /host",
        "writable disks": "/disk",
    }
