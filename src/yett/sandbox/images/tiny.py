# SPDX-License-Identifier: Apache-2.0
"""`yett/tiny`: busybox, the runner and, where there is one, ripgrep. Built without any registry.

`yett sandbox build`, `yett init` and the tests call it. The archive is made in memory; its bytes depend on
nothing but its inputs.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from yett.errors import SandboxUnavailable
from yett.sandbox.images.architecture import Architecture, architecture_named
from yett.sandbox.images.archive import Entry, Layer
from yett.sandbox.images.built import INPUTS_LABEL, Built, OnStep, Steps, silent
from yett.sandbox.images.elf import read_linkage
from yett.sandbox.images.finish import current, described, every_label
from yett.sandbox.images.programs import fetch_packages, host_file, with_libraries
from yett.sandbox.images.runner import compile_runner, runner_inputs
from yett.sandbox.images.saved import save
from yett.sandbox.images.sources import digest
from yett.sandbox.images.store import Images
from yett.sandbox.settings import UID

TINY = "yett/tiny"

_BUSYBOX = Path("/bin/busybox")
_RIPGREP = "/usr/bin/rg"
_BUILDER = b"4"
"""Part of the inputs' hash: raise it when the layout below changes."""
_PACKAGES = ("busybox-static", "ripgrep", "libc6", "libgcc-s1", "libpcre2-8-0")
_ENVIRONMENT = {"PATH": "/bin:/usr/bin"}
_STEPS = ("gather busybox and ripgrep", "compile the runner", "import the image")
_NO_SEARCH = "It holds no ripgrep, which file_search needs: apt-get install ripgrep, then build again."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    busybox: bytes
    applets: tuple[str, ...]
    search: Mapping[str, bytes]
    packages: tuple[str, ...]

    @property
    def digest(self) -> str:
        files = (part for name, data in sorted(self.search.items()) for part in (name.encode(), data))
        return digest(_BUILDER, runner_inputs(), self.busybox, *files)


def tiny_archive(
    runner: bytes,
    busybox: bytes,
    applets: list[str] | tuple[str, ...],
    more: Mapping[str, bytes] | None = None,
) -> bytes:
    """The image's one layer as a tar archive. Equal inputs give equal bytes. Pure.

    Args:
        runner: PID 1.
        busybox: a static one.
        applets: what it can be called.
        more: programs and libraries by path.
    """
    layer = Layer()
    for folder in ("bin", "dev", "etc", "proc", "run", "sys"):
        layer.folder(folder)
    layer.add("tmp", Entry(mode=0o1777, folder=True, owner=UID, group=UID))
    layer.file("bin/busybox", busybox, 0o755)
    for applet in set(applets) - {"busybox"}:
        layer.link(f"bin/{applet}", "busybox")
    layer.file("etc/group", f"sandbox:x:{UID}:\n".encode())
    layer.file("etc/passwd", f"sandbox:x:{UID}:{UID}::/workspace:/bin/sh\n".encode())
    for path, data in (more or {}).items():
        layer.file(path, data, 0o755)
    layer.runner(runner)
    return layer.bytes()


def build_tiny(
    store: Images,
    *,
    cache: Path,
    tag: str = "latest",
    architecture: Architecture | None = None,
    busybox: Path = _BUSYBOX,
    ripgrep: str = _RIPGREP,
    fresh: bool = False,
    on_step: OnStep = silent,
) -> Built:
    """Make `yett/tiny:<tag>` unless the engine has it from the same inputs.

    Args:
        store: the engine's images.
        cache: a folder of ours for the compiled runner.
        tag: of the image.
        architecture: of the machine it is for; the engine's by default.
        busybox: a statically linked busybox of this machine.
        ripgrep: of this machine; the image goes without where there is none.
        fresh: build even if it is there.
        on_step: told what is being done.

    Raises:
        SandboxUnavailable: no engine, no static busybox, no compiler.
    """
    steps = Steps(_STEPS, on_step)
    target = architecture or architecture_named(store.machine())
    name = f"{TINY}:{tag}"
    steps.enter()
    parts = _of_this_machine(busybox, ripgrep, target) if target.native else _of_another(target, steps)
    notes = () if parts.search else (_NO_SEARCH,)
    if not fresh and current(store, name, parts.digest):
        return described(store, name, new=False, architecture=target, notes=notes)
    steps.enter()
    runner = compile_runner(cache, target)
    steps.enter()
    archive = tiny_archive(
        runner.read_bytes(), parts.busybox, parts.applets or _applets(busybox), parts.search
    )
    with tempfile.TemporaryDirectory(prefix="yett-tiny-") as scratch:
        layer, image = Path(scratch) / "layer.tar", Path(scratch) / "image.tar"
        layer.write_bytes(archive)
        save(
            layer,
            image,
            name=name,
            architecture=target,
            labels=every_label({INPUTS_LABEL: parts.digest}, parts.packages),
            environment=_ENVIRONMENT,
        )
        store.load(image, name=name)
    return described(store, name, new=True, architecture=target, notes=notes)


def _of_this_machine(busybox: Path, ripgrep: str, target: Architecture) -> _Parts:
    search = with_libraries(ripgrep, host_file, target) if Path(ripgrep).exists() else {}
    try:
        data = busybox.read_bytes()
    except OSError as fault:
        raise SandboxUnavailable(
            f"There is no busybox for the tiny image: {fault}", advice="apt-get install busybox-static"
        ) from fault
    return _Parts(busybox=_static(data, str(busybox)), applets=(), search=search, packages=())


def _of_another(target: Architecture, steps: Steps) -> _Parts:
    steps.detail(f"from Debian's packages for {target.name}")
    find, packages = fetch_packages(_PACKAGES, target)
    busybox = _static(find("/bin/busybox") or b"", "busybox-static")
    return _Parts(
        busybox=busybox,
        applets=applets_of(busybox),
        search=with_libraries(_RIPGREP, find, target),
        packages=tuple(packages),
    )


def _static(data: bytes, name: str) -> bytes:
    if read_linkage(data, name).interpreter:
        raise SandboxUnavailable(f"{name} is not statically linked.", advice="apt-get install busybox-static")
    return data


def _applets(busybox: Path) -> tuple[str, ...]:
    listed = subprocess.run(  # noqa: S603  (the busybox we ship)
        [str(busybox), "--list"], capture_output=True, text=True, timeout=10, check=True
    )
    return tuple(listed.stdout.split())


def applets_of(busybox: bytes) -> tuple[str, ...]:
    """What a busybox of any machine can be called: its sorted table of names, which begins with `[` and `[[`.

    Raises:
        SandboxUnavailable: it has no such table.
    """
    start = busybox.find(b"\0[\0[[\0")
    names = busybox[start + 1 : busybox.find(b"\0\0", start + 1)].decode("ascii", "replace").split("\0")
    if start < 0 or names != sorted(names) or not {"sh", "cat", "ls"} <= set(names):
        raise SandboxUnavailable("The table of applets was not found in this busybox.")
    return tuple(names)
