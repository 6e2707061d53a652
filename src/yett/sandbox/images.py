# SPDX-License-Identifier: Apache-2.0
"""The files that sandboxes are made of, and the tiny image, built without any registry.

`build_tiny` is called by `yett sandbox build`, `yett doctor` and the tests. The archive is made in memory
from busybox and the compiled runner; its bytes depend on nothing but its inputs.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import anyio.to_thread

from yett.errors import SandboxUnavailable
from yett.sandbox.driver import Driver

TINY = "yett/tiny"
INPUTS_LABEL = "yett.inputs"

_BUSYBOX = Path("/bin/busybox")
_BUILDER = b"2"
"""Part of the inputs' hash: raise it when the layout below changes."""
_COMPILE_DEADLINE = 120.0
_NOBODY = 65534


def sources() -> Path:
    """The folder of the runner's source and the seccomp profile, in a wheel or in a checkout."""
    packaged = Path(__file__).with_suffix("")
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "sandbox_images"


def seccomp_profile() -> str:
    """The seccomp profile as compact JSON text, as the Engine API takes it."""
    return json.dumps(json.loads((sources() / "seccomp.json").read_text()), separators=(",", ":"))


def compile_runner(cache: Path) -> Path:
    """The runner, compiled into `cache` unless it is there for the same sources.

    Raises:
        SandboxUnavailable: no static C compiler, or it failed.
    """
    folder = sources() / "runner"
    digest = _digest(*_runner_sources())
    runner = cache / f"yett-runner-{digest[:16]}"
    if runner.exists():
        return runner
    compiler = shutil.which("musl-gcc") or shutil.which("gcc")
    make = shutil.which("make")
    if compiler is None or make is None:
        raise SandboxUnavailable(
            "There is no C compiler for the sandbox's runner.", advice="apt-get install musl-tools make"
        )
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = runner.with_suffix(".part")
    try:
        done = subprocess.run(  # noqa: S603  (our own Makefile)
            [make, "-s", "-B", "-C", str(folder), f"CC={compiler}", f"OUT={unfinished}"],
            capture_output=True,
            text=True,
            timeout=_COMPILE_DEADLINE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SandboxUnavailable("Compiling the sandbox's runner took too long.") from None
    if done.returncode:
        raise SandboxUnavailable(f"The sandbox's runner does not compile: {done.stderr.strip()[-500:]}")
    unfinished.replace(runner)
    return runner


def tiny_archive(runner: bytes, busybox: bytes, applets: list[str]) -> bytes:
    """The image's one layer as a tar archive. Equal inputs give equal bytes. Pure."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder in ("bin", "dev", "etc", "proc", "run", "sys"):
            _add(tar, folder, tarfile.DIRTYPE, 0o755)
        for folder, mode in (("tmp", 0o1777), ("workspace", 0o700)):
            _add(tar, folder, tarfile.DIRTYPE, mode, owner=_NOBODY)
        _add(tar, "bin/busybox", tarfile.REGTYPE, 0o755, data=busybox)
        for applet in sorted(set(applets) - {"busybox"}):
            _add(tar, f"bin/{applet}", tarfile.SYMTYPE, 0o777, link="busybox")
        _add(tar, "etc/group", tarfile.REGTYPE, 0o644, data=f"nogroup:x:{_NOBODY}:\n".encode())
        nobody = f"nobody:x:{_NOBODY}:{_NOBODY}::/workspace:/bin/sh\n"
        _add(tar, "etc/passwd", tarfile.REGTYPE, 0o644, data=nobody.encode())
        _add(tar, "run/yett.sock", tarfile.REGTYPE, 0o644)
        _add(tar, "yett-runner", tarfile.REGTYPE, 0o755, data=runner)
    return out.getvalue()


async def build_tiny(
    engine: Driver, *, cache: Path, tag: str = "latest", busybox: Path = _BUSYBOX
) -> tuple[str, bool]:
    """Make `yett/tiny:<tag>` unless the engine has it from the same inputs.

    Args:
        engine: where to import it.
        cache: a folder of ours for the compiled runner.
        tag: of the image.
        busybox: a statically linked busybox.

    Returns:
        The image's name, and whether it was built now.

    Raises:
        SandboxUnavailable: no engine, no static busybox, no compiler.
    """
    name = f"{TINY}:{tag}"
    inputs = await anyio.to_thread.run_sync(_inputs, busybox)
    labels = await engine.image_labels(name)
    if labels is not None and labels.get(INPUTS_LABEL) == inputs:
        return name, False
    archive = await anyio.to_thread.run_sync(_assemble, cache, busybox)
    changes = (
        f"LABEL {INPUTS_LABEL}={inputs}",
        f"USER {_NOBODY}:{_NOBODY}",
        "ENV PATH=/bin",
        'ENTRYPOINT ["/yett-runner"]',
    )
    await engine.import_image(archive, repository=TINY, tag=tag, changes=changes)
    return name, True


def _inputs(busybox: Path) -> str:
    return _digest(_BUILDER, *_runner_sources(), _read_static(busybox))


def _runner_sources() -> list[bytes]:
    folder = sources() / "runner"
    return [file.read_bytes() for file in sorted([*folder.glob("*.[ch]"), folder / "Makefile"])]


def _assemble(cache: Path, busybox: Path) -> bytes:
    runner = compile_runner(cache)
    applets = subprocess.run(  # noqa: S603  (the busybox we ship)
        [str(busybox), "--list"], capture_output=True, text=True, timeout=10, check=True
    ).stdout.split()
    return tiny_archive(runner.read_bytes(), busybox.read_bytes(), applets)


def _read_static(busybox: Path) -> bytes:
    try:
        data = busybox.read_bytes()
    except OSError as fault:
        raise SandboxUnavailable(
            f"There is no busybox for the tiny image: {fault}", advice="apt-get install busybox-static"
        ) from fault
    if b"/ld-linux" in data or b"/ld-musl" in data:
        raise SandboxUnavailable(
            f"{busybox} is not statically linked.", advice="apt-get install busybox-static"
        )
    return data


def _digest(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()


def _add(
    tar: tarfile.TarFile,
    name: str,
    kind: bytes,
    mode: int,
    *,
    data: bytes = b"",
    link: str = "",
    owner: int = 0,
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(data), link
    entry.uid = entry.gid = owner
    tar.addfile(entry, io.BytesIO(data) if data else None)
