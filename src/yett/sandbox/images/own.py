# SPDX-License-Identifier: Apache-2.0
"""Any image as an image for sandboxes: runner put in, setuid bits and file capabilities off, looked through.

`yett sandbox build --from IMAGE --tag NAME` calls it. The image is somebody else's: its files are read from
the engine's export, and one layer is added by a Dockerfile without a RUN. Nothing of it is ever run, and the
build has no network.
"""

from __future__ import annotations

import posixpath
import tarfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from yett.action import JsonObject
from yett.errors import SandboxUnavailable
from yett.sandbox.images.architecture import Architecture, architecture_named
from yett.sandbox.images.archive import Entry, Layer
from yett.sandbox.images.built import INPUTS_LABEL, Built, OnStep, Steps, silent
from yett.sandbox.images.finish import current, described, every_label, instructions
from yett.sandbox.images.packages import PACKAGE_LIST, installed
from yett.sandbox.images.runner import compile_runner, runner_inputs
from yett.sandbox.images.sources import digest
from yett.sandbox.images.store import ImageStore

_BUILDER = b"1"
_CAPABILITY = "SCHILY.xattr.security.capability"
_STRIPPED_LIMIT = 256 << 20
"""Bytes of setuid files that are copied; they are held in memory."""
_STEPS = ("look through the image", "compile the runner", "add the layer")
_FLATTEN = (
    "Make one flat image of it first:"
    " docker create --name flat IMAGE; docker export flat | docker import - NAME"
)
_USED = (
    (
        "/bin/sh",
        "There is no /bin/sh: shell_run serves argv only, and yett doctor cannot look at it from inside.",
    ),
    ("/bin/cat", "There is no /bin/cat: yett doctor cannot look at it from inside."),
)


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What an image holds: what must be replaced, which paths exist, and where links lead."""

    stripped: dict[str, Entry] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)
    links: dict[str, str] = field(default_factory=dict)
    packages: bytes = b""
    size: int = 0


def build_own(
    store: ImageStore,
    source: str,
    *,
    name: str,
    cache: Path,
    fresh: bool = False,
    inputs: str = "",
    on_step: OnStep = silent,
) -> Built:
    """Make an image for sandboxes of another one, unless the engine has it from the same inputs.

    Args:
        store: the engine's images.
        source: an image that the engine has; it may have come from anywhere.
        name: repository and tag of the new image.
        cache: a folder of ours for the compiled runner.
        fresh: build even if it is there.
        inputs: what stands for its inputs in its label, where the caller knows better.
        on_step: told what is being done.

    Raises:
        SandboxUnavailable: no engine, no such image, no compiler, or an image that is not safe this way.
    """
    steps = Steps(_STEPS, on_step)
    found = store.inspect(source)
    if found is None:
        raise SandboxUnavailable(f"The engine has no image {source}.", advice=f"docker pull {source}")
    target = architecture_named(str(found.get("Architecture", "")))
    image = str(found["Id"])
    inputs = inputs or digest(_BUILDER, runner_inputs(), image.encode())
    _refuse_unsafe(source, cast("JsonObject", found.get("Config") or {}))
    steps.enter()
    if not fresh and current(store, name, inputs):
        return described(store, name, new=False, architecture=target)
    with store.files(image) as tar:
        seen = look_through(tar)
    steps.enter()
    runner = compile_runner(cache, target)
    steps.enter()
    store.build(
        _context(image, seen, runner.read_bytes(), inputs),
        name=name,
        arguments={},
        network="none",
        on_line=steps.detail,
    )
    return described(store, name, new=True, architecture=target, notes=_notes(store, seen, target))


def look_through(tar: tarfile.TarFile) -> _Seen:
    """Read a file system's archive once. Hard links of a setuid file are setuid files, too.

    Raises:
        SandboxUnavailable: more setuid files than can be held.
    """
    seen = _Seen()
    for entry in tar:
        path = entry.name.removeprefix("./").rstrip("/")
        if entry.issym():
            seen.links[path] = entry.linkname
        elif not entry.isdir():
            seen.paths.add(path)
        if path == PACKAGE_LIST and entry.isfile() and entry.size < (1 << 20):
            seen.packages = _content(tar, entry)
        if entry.mode & 0o6000 or _CAPABILITY in entry.pax_headers:
            _strip(tar, entry, path, seen)
    return seen


def _strip(tar: tarfile.TarFile, entry: tarfile.TarInfo, path: str, seen: _Seen) -> None:
    made = Entry(mode=entry.mode & 0o1777, owner=entry.uid, group=entry.gid)
    if entry.isdir():
        seen.stripped[path] = replace(made, folder=True)
    elif entry.islnk():
        first = seen.stripped.get(entry.linkname.removeprefix("./"))
        if first is not None:
            seen.stripped[path] = first
    elif entry.isfile():
        seen.size += entry.size
        if seen.size > _STRIPPED_LIMIT:
            raise SandboxUnavailable(
                f"The image's setuid files are larger than {_STRIPPED_LIMIT >> 20} MiB together.",
                advice=_FLATTEN,
            )
        seen.stripped[path] = replace(made, data=_content(tar, entry))


def _content(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    read = tar.extractfile(entry)
    return read.read() if read is not None else b""


def _context(image: str, seen: _Seen, runner: bytes, inputs: str) -> bytes:
    layer = Layer()
    for path, entry in seen.stripped.items():
        layer.add(path, entry)
    layer.runner(runner)
    lines = (
        f"FROM {image}",
        "ADD layer.tar /",
        *instructions(every_label({INPUTS_LABEL: inputs}, installed(seen.packages))),
    )
    context = Layer()
    context.file("Dockerfile", ("\n".join(lines) + "\n").encode())
    context.file("layer.tar", layer.bytes())
    return context.bytes()


def _refuse_unsafe(source: str, config: JsonObject) -> None:
    if config.get("Volumes"):
        folders = ", ".join(cast("JsonObject", config["Volumes"]))
        raise SandboxUnavailable(
            f"{source} declares volumes ({folders}): the engine would mount each as a writable folder of the"
            " host's disk without a limit.",
            advice=_FLATTEN,
        )
    if config.get("OnBuild"):
        raise SandboxUnavailable(
            f"{source} has ONBUILD steps, which would run while the runner is put in.", advice=_FLATTEN
        )


def _notes(store: ImageStore, seen: _Seen, target: Architecture) -> tuple[str, ...]:
    notes = [words for path, words in _USED if not exists(path, seen)]
    if not any(exists(f"{folder}/rg", seen) for folder in ("/usr/local/bin", "/usr/bin", "/bin")):
        notes.append("There is no rg (ripgrep): file_search will not work.")
    if seen.stripped:
        notes.append(
            f"Setuid bits and file capabilities were taken off {len(seen.stripped)} files and folders."
        )
    if target != architecture_named(store.machine()):
        notes.append(f"It is for {target.name}; this engine's machine is another.")
    return tuple(notes)


def exists(path: str, seen: _Seen) -> bool:
    """Whether a path is a file in the image, links followed inside it."""
    parts, done = path.strip("/").split("/"), ""
    for _ in range(64):
        if not parts:
            return done in seen.paths
        done = posixpath.join(done, parts.pop(0))
        target = seen.links.get(done)
        if target is not None:
            whole = target if target.startswith("/") else posixpath.join(posixpath.dirname(done), target)
            parts = posixpath.normpath("/" + whole.lstrip("/")).strip("/").split("/") + parts
            done = ""
    return False
