# SPDX-License-Identifier: Apache-2.0
"""`yett sandbox build`: the images tiny and base, and any other image with the runner put in.

On a terminal a build shows the step it is at; elsewhere it is quiet until it is done.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from yett.cli.output import EXIT_CONFIGURATION, JsonFlag, complain, print_json, problems, say, visible
from yett.sandbox.settings import MIB, SandboxSettings

if TYPE_CHECKING:
    from yett.sandbox.images import Built, Images, ImageStore, Step
    from yett.sandbox.images.unpacked import UnpackedImages


class Recipe(StrEnum):
    """The images that have a recipe here."""

    tiny = "tiny"
    base = "base"


class Machine(StrEnum):
    """The machines that images are built for."""

    amd64 = "amd64"
    arm64 = "arm64"


class Driver(StrEnum):
    """What makes the containers that an image is for."""

    docker = "docker"
    runc = "runc"


def cache_folder() -> Path:
    """Where the compiled runner is kept."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "yett"


def build(
    recipe: Annotated[Recipe | None, typer.Argument(help="What to build; tiny unless --from.")] = None,
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", help="An image to put the runner into; with `base`, a Debian 12 to install on."
        ),
    ] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", help="The new image's name, or the tag of yett/tiny and yett/base.")
    ] = None,
    arch: Annotated[
        Machine | None, typer.Option("--arch", help="For another machine than the engine's.")
    ] = None,
    fresh: Annotated[bool, typer.Option("--no-cache", help="Build even if it is there and current.")] = False,
    apt_sources: Annotated[
        Path | None,
        typer.Option("--sources", help="For base: an apt sources.list, as of a dated mirror.", exists=True),
    ] = None,
    build_network: Annotated[
        str, typer.Option("--network", help="For `base --from`: how the build reaches the package mirror.")
    ] = "bridge",
    driver: Annotated[
        Driver, typer.Option("--driver", help="For a Docker engine, or unpacked for runc alone (root).")
    ] = Driver.docker,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing when it is there.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Build an image for sandboxes: yett/tiny and yett/base without any registry, or one of your own."""
    misuse = _misuse(recipe, source, tag, arch, apt_sources)
    if driver is Driver.runc and source is not None:
        misuse = "--driver runc goes with tiny and base; an image of your own is read from an engine"
    if misuse:
        complain(misuse, "yett sandbox build [tiny|base], or yett sandbox build --from IMAGE --tag NAME")
        raise typer.Exit(EXIT_CONFIGURATION)
    from yett.sandbox import images  # noqa: PLC0415 - see commands.py

    target = images.ARCHITECTURES[arch.value] if arch else None
    with _store(driver) as store, _shown() as on_step:
        built: Built
        if isinstance(store, images.ImageStore) and source is not None and recipe is Recipe.base:
            built = images.build_base_from(
                store,
                source,
                cache=cache_folder(),
                tag=tag or "latest",
                network=build_network,
                fresh=fresh,
                on_step=on_step,
            )
        elif isinstance(store, images.ImageStore) and source is not None:
            built = images.build_own(
                store, source, name=tag or "", cache=cache_folder(), fresh=fresh, on_step=on_step
            )
        elif recipe is Recipe.base:
            built = images.build_base(
                store,
                cache=cache_folder(),
                tag=tag or _tag(store, arch),
                architecture=target,
                apt_sources=apt_sources,
                fresh=fresh,
                on_step=on_step,
            )
        else:
            built = images.build_tiny(
                store,
                cache=cache_folder(),
                tag=tag or _tag(store, arch),
                architecture=target,
                fresh=fresh,
                on_step=on_step,
            )
    _tell(built, quiet=quiet, as_json=as_json)


def _misuse(
    recipe: Recipe | None, source: str | None, tag: str | None, arch: Machine | None, apt_sources: Path | None
) -> str:
    """What does not go together, or nothing."""
    if source is not None and recipe is Recipe.tiny:
        return "tiny is built from nothing; --from goes with base or with an image of your own"
    if source is not None and recipe is None and not tag:
        return "--from needs --tag: the name of the new image"
    if source is not None and arch is not None:
        return "--arch is for tiny and base; an image made of another one is for that one's machine"
    if apt_sources is not None and (recipe is not Recipe.base or source is not None):
        return "--sources is for `base` without --from"
    return ""


def _store(driver: Driver) -> ImageStore | UnpackedImages:
    from yett.sandbox.images import ImageStore  # noqa: PLC0415 - see commands.py
    from yett.sandbox.images.unpacked import UnpackedImages  # noqa: PLC0415 - see commands.py

    if driver is Driver.runc:
        return UnpackedImages(SandboxSettings(driver="runc"))
    return ImageStore(SandboxSettings().engine)


def _tag(store: Images, arch: Machine | None) -> str:
    """`latest` is for the engine's own machine."""
    from yett.sandbox.images import ARCHITECTURES  # noqa: PLC0415 - see commands.py

    foreign = arch is not None and ARCHITECTURES[arch.value].machine != store.machine()
    return f"latest-{arch}" if foreign else "latest"


def _tell(built: Built, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "name": built.name,
                "new": built.new,
                "architecture": built.architecture,
                "size": built.size,
                "layers": list(built.layers),
                "packages": list(built.packages),
                "notes": list(built.notes),
            }
        )
        return
    if not built.new and quiet:
        return
    size = f"{built.size / MIB:.1f} MiB, {built.architecture}"
    say(f"Built {built.name} ({size})." if built.new else f"{built.name} is there and current ({size}).")
    if built.packages:
        say(f"  {' '.join(built.packages)}")
    for note in built.notes:
        say(f"  {note}")


@contextmanager
def _shown() -> Iterator[Callable[[Step], None]]:
    """Draws the steps on a terminal; says nothing elsewhere."""
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[words]}", markup=False),
    )
    with Progress(*columns, console=problems, transient=True, disable=not problems.is_terminal) as progress:
        task = progress.add_task("", words="starting")

        def on_step(step: Step) -> None:
            words = f"{step.title}: {visible(step.detail)}" if step.detail else step.title
            room = max(20, problems.width - 45)
            progress.update(task, total=step.of, completed=step.number - 1, words=words[:room])

        yield on_step
