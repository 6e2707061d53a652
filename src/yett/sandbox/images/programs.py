# SPDX-License-Identifier: Apache-2.0
"""Programs for an image, with every shared library and the loader they ask for.

From this machine's own folders, or for another kind of machine from Debian's packages, fetched by apt with
folders of its own: nothing of this machine's package lists is changed. `tiny.py` is the caller.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from yett.errors import SandboxUnavailable
from yett.sandbox.images.architecture import Architecture
from yett.sandbox.images.elf import read_linkage
from yett.sandbox.images.sources import sources

_APT_DEADLINE = 300.0
_KEPT = ("bin/", "usr/bin/", "lib", "usr/lib")
_MOST_LIBRARIES = 64

FindFile = Callable[[str], bytes | None]
"""The bytes of a file by its absolute path, links followed; None when there is none."""


def host_file(path: str) -> bytes | None:
    """A file of this machine."""
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def with_libraries(program: str, find: FindFile, architecture: Architecture) -> dict[str, bytes]:
    """A program and what it needs to start, by path without the leading slash.

    Libraries land beside where Debian's loader looks for them; the loader where the program says.

    Raises:
        SandboxUnavailable: a library is missing, or a file is no program.
    """
    data = find(program)
    if data is None:
        raise SandboxUnavailable(f"There is no {program}.")
    gathered = {program.lstrip("/"): data}
    linkage = read_linkage(data, program)
    if not linkage.interpreter:
        return gathered
    folder = f"/lib/{architecture.triplet}"
    loader = find(linkage.interpreter)
    if loader is None:
        raise SandboxUnavailable(f"{program} needs {linkage.interpreter}, which is missing.")
    gathered[linkage.interpreter.lstrip("/")] = loader
    wanted, loader_name = list(linkage.libraries), linkage.interpreter.rpartition("/")[2]
    while wanted:
        name = wanted.pop()
        path = f"{folder}/{name}"
        if path.lstrip("/") in gathered or name == loader_name:
            continue
        library = find(path)
        if library is None:
            library = find(f"/usr{path}")
        if library is None or len(gathered) > _MOST_LIBRARIES:
            raise SandboxUnavailable(f"{program} needs {name}, which is not in {folder}.")
        gathered[path.lstrip("/")] = library
        wanted += read_linkage(library, path).libraries
    return gathered


def fetch_packages(
    names: tuple[str, ...], architecture: Architecture, source_lines: str = ""
) -> tuple[FindFile, list[str]]:
    """The files of Debian packages for another kind of machine, and `name=version` of each.

    Args:
        names: of packages; what they depend on must be named too.
        architecture: of the machine.
        source_lines: an apt sources.list; the base recipe's by default.

    Raises:
        SandboxUnavailable: no apt, no mirror, no such package.
    """
    apt, unpack = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt is None or unpack is None:
        raise SandboxUnavailable(
            "Packages for another machine are fetched with apt-get and dpkg-deb, which are not here.",
            advice="Build on Debian or Ubuntu, or on such a machine itself.",
        )
    with tempfile.TemporaryDirectory(prefix="yett-apt-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)  # apt fetches as a user of its own
        for needed in ("lists/partial", "cache/archives/partial", "debs"):
            (folder / needed).mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(
            source_lines or (sources() / "base" / "sources.list").read_text()
        )
        settings = {
            "APT::Architecture": architecture.name,
            "APT::Architectures": architecture.name,
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "-",
        }
        options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
        _run([apt, "-qq", *options, "update"], folder)
        _run([apt, "-qq", *options, "download", *names], folder / "debs")
        files: dict[str, bytes] = {}
        links: dict[str, str] = {}
        packages = []
        for deb in sorted((folder / "debs").glob("*.deb")):
            name, version = deb.name.split("_")[:2]
            packages.append(f"{name}={version.replace('%3a', ':')}")
            _unpack(_run([unpack, "--fsys-tarfile", str(deb)], folder), files, links)
    return lambda path: _look_up(path, files, links), packages


def _run(argv: list[str], folder: Path) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603  (apt and dpkg, our own words)
            argv, cwd=folder, capture_output=True, timeout=_APT_DEADLINE, check=False
        )
    except subprocess.TimeoutExpired:
        raise SandboxUnavailable("Fetching packages took too long.") from None
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()[-400:]
        raise SandboxUnavailable(
            f"{Path(argv[0]).name} failed: {words}", advice="Is a Debian mirror reachable?"
        )
    return done.stdout


def _unpack(archive: bytes, files: dict[str, bytes], links: dict[str, str]) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for entry in tar:
            path = entry.name.removeprefix("./")
            if not path.startswith(_KEPT):
                continue
            if entry.isfile():
                read = tar.extractfile(entry)
                files[_merged(path)] = read.read() if read is not None else b""
            elif entry.issym():
                links[_merged(path)] = _merged(
                    os.path.normpath(f"{path}/../{entry.linkname}")
                    if not entry.linkname.startswith("/")
                    else entry.linkname.lstrip("/")
                )


def _look_up(path: str, files: dict[str, bytes], links: dict[str, str]) -> bytes | None:
    name = _merged(path.lstrip("/"))
    for _ in range(8):
        if name not in links:
            return files.get(name)
        name = links[name]
    return None


def _merged(path: str) -> str:
    """/usr/bin and /bin, /usr/lib and /lib are one in Debian."""
    return path.removeprefix("usr/") if path.startswith(("usr/bin/", "usr/lib")) else path
