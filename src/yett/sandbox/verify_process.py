# SPDX-License-Identifier: Apache-2.0
"""Who a program in a container is and what it can reach: users, namespaces, rights, filter, network, PID 1.

Pure: judges what `look.py` printed. Called by `verify.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from yett.sandbox.control import UNSEEN, Control, control, nothing_of
from yett.sandbox.engine import EngineFacts
from yett.sandbox.hardening import HOSTNAME, SECRET_VARIABLE
from yett.sandbox.look import NAMESPACES
from yett.sandbox.settings import SandboxSettings

_OF_THE_HOST = {
    "ipc": 0xEFFFFFFF,
    "uts": 0xEFFFFFFE,
    "user": 0xEFFFFFFD,
    "pid": 0xEFFFFFFC,
    "cgroup": 0xEFFFFFFB,
}
"""The numbers of a kernel's first namespaces are always these (include/linux/proc_ns.h)."""
_IDENTITY = ["0", "0", str(2**32 - 1)]
_NODES = frozenset(
    "core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero console".split()  # noqa: SIM905
)


def process_controls(
    seen: Mapping[str, str], settings: SandboxSettings, facts: EngineFacts | None, own: Mapping[str, str]
) -> Iterator[Control]:
    """Every control of a process, in the order of the table."""
    status = dict(re.findall(r"^(\w+):[ \t]*(.*)$", seen["status"], re.MULTILINE))
    uid, gid = (str(number) for number in settings.user)
    yield control("user", uid, _distinct(status.get("Uid", "")))
    yield control("groups", gid, _distinct(f"{status.get('Gid', '')} {status.get('Groups', '')}"))
    links = dict(line.split(" ", 1) for line in seen["namespaces"].splitlines() if " " in line)
    for kind in NAMESPACES:
        yield _namespace(kind, links.get(kind, ""), own.get(kind, ""), mapped=bool(facts and facts.userns))
    yield _user_mapping(seen["users"], mapped=bool(facts and facts.userns))
    paths = {line.split(":", 2)[2] for line in seen["cgroup"].split() if line.count(":") >= 2}
    yield control("cgroup paths", "/", " ".join(sorted(paths)))
    # CapAmb is younger than some kernels; the other four are not.
    capabilities = {status.get(name, "") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd")}
    capabilities |= {status["CapAmb"]} if "CapAmb" in status else set()
    yield control("capabilities", "0" * 16, " ".join(sorted(capabilities)))
    yield control("no new privileges", "1", status.get("NoNewPrivs", ""))
    yield control("seccomp filter", "2", status.get("Seccomp", ""))
    yield _set_uid(seen["make_set_uid"])
    yield nothing_of("device nodes made", _found(seen["make_device"]), looked="looked" in seen["make_device"])
    yield from _security_module(seen["module"], facts)
    yield from _network(seen)
    yield control("host name", HOSTNAME, seen["hostname"].strip())
    yield nothing_of(
        "device nodes",
        sorted(set(seen["nodes"].split()) - _NODES),
        looked="null" in seen["nodes"].split(),
    )
    opened = _found(seen["init"])
    yield control(
        "PID 1",
        "closed",
        "" if "looked" not in seen["init"] else f"open: {opened[0]}" if opened else "closed",
    )
    secret = "present" if SECRET_VARIABLE in seen["environment"] else "absent"
    yield control("one-time secret in programs", "absent", secret if seen["environment"] else "")


def _namespace(kind: str, link: str, own: str, *, mapped: bool) -> Control:
    found = re.fullmatch(rf"{kind}:\[(\d+)\]", link)
    if found is None:
        seen = ""
    elif int(found.group(1)) == _OF_THE_HOST.get(kind):
        seen = "the host's"
    else:
        seen = "the gateway's" if link == own else "its own"
    name = "mount" if kind == "mnt" else kind
    if kind == "user" and not mapped:
        return Control(
            control=f"{name} namespace",
            expected="its own, or the host's",
            seen=seen or UNSEEN,
            ok=bool(seen),
            note="" if seen == "its own" else "this engine maps no users (userns-remap)",
        )
    return control(f"{name} namespace", "its own", seen)


def _user_mapping(users: str, *, mapped: bool) -> Control:
    rows = [line.split() for line in users.splitlines()]
    seen = "" if not rows else "none" if rows == [_IDENTITY] else "mapped"
    if mapped:
        return control("users", "mapped", seen, note="; ".join(" ".join(row) for row in rows))
    return Control(control="users", expected="mapped, or none", seen=seen or UNSEEN, ok=bool(seen))


def _set_uid(made: str) -> Control:
    """A filter that is there and lets this through is not ours."""
    words = made.split()
    seen = "" if "plain" not in words else " and ".join(words[1:]) or "none"
    return control("set-uid files made", "none", seen)


def _security_module(label: str, facts: EngineFacts | None) -> Iterator[Control]:
    options = " ".join(facts.security) if facts else ""
    label = label.strip("\0\n ")
    if "name=apparmor" in options:
        yield control("AppArmor", "docker-default (enforce)", label)
    elif "name=selinux" in options:
        kind = label.split(":")[2] if label.count(":") >= 3 else ""
        yield control("SELinux", "container_t", kind)
    else:
        yield Control(
            control="security module",
            expected="one, where the engine has one",
            seen=label or "none",
            ok=True,
            note="" if label else "this engine has neither AppArmor nor SELinux",
        )


def _network(seen: Mapping[str, str]) -> Iterator[Control]:
    interfaces = re.findall(r"^\s*(\S+):", seen["devices"], re.MULTILINE)
    yield control("network interfaces", "lo", " ".join(interfaces))
    # The first line of one file is a heading; the other has rows of lo alone, or is not there.
    routes = [line.split()[0] for line in seen["routes"].splitlines()[1:] if line.strip()]
    routes += [line.split()[-1] for line in seen["routes6"].splitlines() if line.strip()]
    elsewhere = sorted(set(routes) - {"lo"})
    yield nothing_of("routes", elsewhere, looked=seen["routes"].startswith("Iface"))
    servers = re.findall(r"^nameserver\s+(\S+)", seen["resolv"], re.MULTILINE)
    yield control("name servers", "127.0.0.1", " ".join(servers))


def _distinct(words: str) -> str:
    return " ".join(sorted(set(words.split())))


def _found(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.strip("\0 ") and line != "looked"]
