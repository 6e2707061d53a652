# SPDX-License-Identifier: Apache-2.0
"""`yett/base`: a small Debian with what agents use, by mmdebstrap or on top of a registry's image.

`yett sandbox build base` calls it. The recipe is `sandbox_images/base/`; both ways read the same list of
packages and end with the same `finish.sh`. Equal packages give equal bytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Timer

from yett.errors import SandboxUnavailable
from yett.sandbox.images.architecture import Architecture, architecture_named
from yett.sandbox.images.archive import Layer
from yett.sandbox.images.built import INPUTS_LABEL, Built, OnStep, Steps, silent
from yett.sandbox.images.finish import current, described, every_label
from yett.sandbox.images.own import build_own
from yett.sandbox.images.packages import PACKAGE_LIST, installed, wanted_packages
from yett.sandbox.images.runner import compile_runner, runner_inputs
from yett.sandbox.images.saved import save
from yett.sandbox.images.sources import base_recipe, digest, digest_of_files, sources
from yett.sandbox.images.store import Images, ImageStore

BASE = "yett/base"
_SUITE = "bookworm"
_EPOCH = "1735689600"
"""SOURCE_DATE_EPOCH, 2025-01-01: no file of the image is younger, so that two builds are equal."""
_BUILDER = b"1"
_DEADLINE = 1200.0
_KEPT_LINES, _LINE_LIMIT = 6, 300
_PATH = "/usr/local/bin:/usr/bin:/bin"
_ENVIRONMENT = {"LANG": "C.UTF-8", "PATH": _PATH}
_STEPS = ("compile the runner", "install Debian's packages", "put the runner in", "import the image")
_STEPS_FROM = ("install packages on the image", "put the runner in")


def build_base(
    store: Images,
    *,
    cache: Path,
    tag: str = "latest",
    architecture: Architecture | None = None,
    apt_sources: Path | None = None,
    fresh: bool = False,
    on_step: OnStep = silent,
) -> Built:
    """Make `yett/base:<tag>` from Debian's packages unless the engine has it from the same recipe.

    Args:
        store: the engine's images.
        cache: a folder of ours for the compiled runner.
        tag: of the image.
        architecture: of the machine it is for; the engine's by default.
        apt_sources: an apt sources.list instead of the recipe's; a dated mirror makes an older state again.
        fresh: build even if it is there: with the packages of today.
        on_step: told what is being done.

    Raises:
        SandboxUnavailable: no engine, no mmdebstrap or no right to use it, no mirror, no compiler.
    """
    steps = Steps(_STEPS, on_step)
    target = architecture or architecture_named(store.machine())
    name = f"{BASE}:{tag}"
    listed = apt_sources or sources() / "base" / "sources.list"
    inputs = digest(
        _BUILDER,
        runner_inputs(),
        digest_of_files(base_recipe()).encode(),
        _read(listed),
        target.name.encode(),
    )
    if not fresh and current(store, name, inputs):
        return described(store, name, new=False, architecture=target)
    steps.enter()
    runner = compile_runner(cache, target)
    steps.enter()
    with tempfile.TemporaryDirectory(prefix="yett-base-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)  # a user namespace's root is somebody else here
        archive = folder / "base.tar"
        install_debian(archive, listed, target, steps.detail)
        steps.enter()
        packages = put_runner_in(archive, runner.read_bytes())
        steps.enter()
        save(
            archive,
            folder / "image.tar",
            name=name,
            architecture=target,
            labels=every_label({INPUTS_LABEL: inputs}, packages),
            environment=_ENVIRONMENT,
        )
        store.load(folder / "image.tar", name=name)
    return described(store, name, new=True, architecture=target)


def build_base_from(
    store: ImageStore,
    source: str,
    *,
    cache: Path,
    tag: str = "latest",
    network: str = "bridge",
    fresh: bool = False,
    on_step: OnStep = silent,
) -> Built:
    """Make `yett/base:<tag>` by the recipe's Dockerfile on another image, as `debian:12-slim@sha256:...`.

    Args:
        store: the engine's images; it pulls `source` if it does not have it.
        source: a Debian 12 image.
        cache: a folder of ours for the compiled runner.
        tag: of the image.
        network: how the build reaches Debian's mirror, an engine's word (`bridge`, `host`).
        fresh: build even if it is there.
        on_step: told what is being done.

    Raises:
        SandboxUnavailable: the registry or the mirror cannot be reached, or a step failed.
    """
    steps = Steps(_STEPS_FROM, on_step)
    name, unfinished = f"{BASE}:{tag}", f"{BASE}:{tag}-unfinished"
    inputs = digest(_BUILDER, runner_inputs(), digest_of_files(base_recipe()).encode(), source.encode())
    if not fresh and current(store, name, inputs):
        return described(store, name, new=False, architecture=architecture_named(store.machine()))
    steps.enter()
    context = Layer()
    for file, data in base_recipe().items():
        context.file(file, data)
    try:
        store.build(
            context.bytes(),
            name=unfinished,
            arguments={"FROM": source},
            network=network,
            on_line=steps.detail,
        )
        steps.enter()
        return build_own(store, unfinished, name=name, cache=cache, fresh=True, inputs=inputs)
    finally:
        store.remove(unfinished)


def install_debian(
    archive: Path, apt_sources: Path, architecture: Architecture, on_line: Callable[[str], None]
) -> None:
    """Write the image's file system, without the runner, to a tar archive.

    Args:
        archive: where to; its folder is also used for what is installed meanwhile.
        apt_sources: an apt sources.list.
        architecture: of the machine it is for.
        on_line: told what mmdebstrap says.

    Raises:
        SandboxUnavailable: no mmdebstrap or no right to use it, no mirror, no emulator for another machine.
    """
    mmdebstrap = shutil.which("mmdebstrap")
    if mmdebstrap is None:
        raise SandboxUnavailable(
            "The base image is made by mmdebstrap, which is not here.",
            advice="apt-get install mmdebstrap; or, where a registry can be reached:"
            " yett sandbox build base --from debian:12-slim",
        )
    if not architecture.native and shutil.which(architecture.emulator) is None:
        raise SandboxUnavailable(
            f"Packages for {architecture.name} are set up by running their programs, and there is no"
            f" {architecture.emulator} here.",
            advice="apt-get install qemu-user-static",
        )
    recipe = sources() / "base"
    argv = [
        mmdebstrap,
        f"--mode={_mode()}",
        "--variant=minbase",
        "--format=tar",
        f"--architectures={architecture.name}",
        f"--include={','.join(wanted_packages())}",
        f"--dpkgopt={recipe / 'dpkg.cfg'}",
        f'--customize-hook=sh {recipe / "finish.sh"} "$1"',
        _SUITE,
        str(archive),
        str(apt_sources),
    ]
    environment = {
        "PATH": os.environ.get("PATH", _PATH) + ":/usr/sbin:/sbin",
        "HOME": str(archive.parent),
        "LC_ALL": "C.UTF-8",
        "TMPDIR": str(archive.parent),
        "SOURCE_DATE_EPOCH": _EPOCH,
        **{
            name: value
            for name in ("http_proxy", "https_proxy", "no_proxy")
            if (value := os.environ.get(name))
        },
    }
    _run(argv, environment, on_line)


def put_runner_in(archive: Path, runner: bytes) -> tuple[str, ...]:
    """Add the runner to an archive, and read from it what was installed of what was asked for."""
    layer = Layer()
    layer.runner(runner)
    with tarfile.open(archive) as tar:
        listed = tar.extractfile(f"./{PACKAGE_LIST}")
        packages = installed(listed.read() if listed is not None else b"")
    with tarfile.open(archive, "a", format=tarfile.GNU_FORMAT) as tar:
        layer.write(tar)
    return packages


def _mode() -> str:
    """How mmdebstrap gets to own files as root.

    Raises:
        SandboxUnavailable: in no way.
    """
    if os.geteuid() == 0:
        return "root"
    if _may_unshare():
        return "unshare"
    if shutil.which("fakechroot") and shutil.which("fakeroot"):
        return "fakechroot"
    raise SandboxUnavailable(
        "mmdebstrap needs root, or user namespaces for this user, or fakechroot; there is none of them.",
        advice="Run it as root, or apt-get install uidmap (and have the user in /etc/subuid), or"
        " apt-get install fakechroot fakeroot.",
    )


def _may_unshare() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None or shutil.which("newuidmap") is None:
        return False
    try:
        done = subprocess.run(  # noqa: S603  (our own words)
            [unshare, "--map-auto", "--map-root-user", "true"], capture_output=True, timeout=10, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _run(argv: list[str], environment: dict[str, str], on_line: Callable[[str], None]) -> None:
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603  (mmdebstrap, our own words)
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as running:
        overdue = Timer(_DEADLINE, running.terminate)
        overdue.start()
        try:
            for line in running.stderr or ():
                if line.startswith("E:"):
                    said.append(line[2:].strip()[:_LINE_LIMIT])
                on_line(line.removeprefix("I: "))
            code = running.wait()
        except BaseException:
            running.terminate()
            raise
        finally:
            late = not overdue.is_alive()
            overdue.cancel()
    if code:
        why = f"mmdebstrap took longer than {_DEADLINE:.0f} s" if late else "mmdebstrap failed"
        raise SandboxUnavailable(
            f"{why}: {'; '.join(said[:_KEPT_LINES])}",
            advice="Is a Debian mirror reachable? `mmdebstrap --simulate` shows more.",
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise SandboxUnavailable(f"The apt sources cannot be read: {fault}") from fault
