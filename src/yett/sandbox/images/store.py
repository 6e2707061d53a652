# SPDX-License-Identifier: Apache-2.0
"""The engine's images: look, import, export, build. Blocking: for a person's commands, not the gateway.

Every wait has a deadline: the engine's answers one each, a whole build another. A classic builder (Engine
20.10) is enough. It must never run a program of an image to look at it; `files` never starts a container.
"""

from __future__ import annotations

import socket
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, cast

import docker
import requests
from docker.errors import APIError, DockerException, NotFound

from yett.action import JsonObject
from yett.errors import SandboxUnavailable

_ADVICE = "See whether the container engine answers: `docker version`, then its log."
_CHUNK = 1 << 20
_KNOCK = 10.0

T = TypeVar("T")


class Images(Protocol):
    """Where built images go: an engine's store, or unpacked for the runc driver."""

    def machine(self) -> str:
        """The machine that containers run on, as its kernel names it."""
        ...

    def inspect(self, image: str) -> JsonObject | None:
        """What is known of an image, or None when there is no such image."""
        ...

    def labels(self, image: str) -> Mapping[str, str] | None:
        """The labels of an image, or None when there is no such image."""
        ...

    def load(self, archive: Path, *, name: str) -> None:
        """Take in an image as `docker save` writes it, in place of what had its name."""
        ...


class ImageStore:
    """One engine's images. A context manager; its own thread only.

    Args:
        engine: where the Docker Engine API listens.
        deadline: seconds for a whole build; one answer may take a quarter of that.
    """

    def __init__(self, engine: str, *, deadline: float = 1200.0) -> None:
        """Nothing is asked yet."""
        self._engine = engine
        self._deadline = deadline
        self._client: Any = None

    def __enter__(self) -> Self:
        """Nothing is asked yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def machine(self) -> str:
        """The machine that the engine runs on, as its kernel names it."""
        return str(self._ask("info", lambda client: client.info()).get("Architecture", ""))

    def inspect(self, image: str) -> JsonObject | None:
        """What the engine knows of an image, or None when it has no such image."""

        def look(client: Any) -> JsonObject | None:
            try:
                return cast("JsonObject", client.inspect_image(image))
            except NotFound:
                return None

        return self._ask("inspect image", look)

    def labels(self, image: str) -> Mapping[str, str] | None:
        """The labels of an image, or None when the engine has no such image."""
        found = self.inspect(image)
        if found is None:
            return None
        config = cast("JsonObject", found.get("Config") or {})
        return {name: str(value) for name, value in cast("JsonObject", config.get("Labels") or {}).items()}

    def load(self, archive: Path, *, name: str) -> None:
        """Take in an image as `docker save` writes it, in place of what had its name.

        Args:
            archive: where it is.
            name: repository and tag, as in the archive.
        """

        def work(client: Any) -> None:
            with archive.open("rb") as source:
                for answer in client.load_image(source):
                    if "error" in answer:
                        raise SandboxUnavailable(f"load {name}: {answer['error']}", advice=_ADVICE)

        self._ask("load image", work)

    @contextmanager
    def files(self, image: str) -> Iterator[tarfile.TarFile]:
        """The file system of an image as a tar stream, to be read once; nothing of it runs."""
        made = self._ask(
            "create container",
            lambda client: client.create_container_from_config(
                {"Image": image, "Entrypoint": ["/never-started"], "Cmd": [], "NetworkDisabled": True}, None
            )["Id"],
        )
        try:
            chunks = self._ask("export image", lambda client: client.export(made, chunk_size=_CHUNK))
            stream = _Stream(chunks, time.monotonic() + self._deadline)
            try:
                with tarfile.open(fileobj=cast("Any", stream), mode="r|", bufsize=_CHUNK) as tar:
                    yield tar
            except (tarfile.TarError, requests.RequestException, DockerException) as fault:
                raise SandboxUnavailable(f"export image: {fault}", advice=_ADVICE) from fault
        finally:
            self._ask("remove container", lambda client: client.remove_container(made, force=True, v=True))

    def build(
        self,
        context: bytes,
        *,
        name: str,
        arguments: Mapping[str, str],
        network: str,
        on_line: Callable[[str], None],
        platform: str = "",
    ) -> None:
        """Build by the engine's builder; nothing is pulled but a missing FROM.

        Args:
            context: a tar archive with a Dockerfile in it.
            name: repository and tag.
            arguments: of the Dockerfile.
            network: `none`, or how its RUN steps reach the package mirror.
            on_line: called with each line the builder says.
            platform: as for `import_layer`.

        Raises:
            SandboxUnavailable: a step failed, no such FROM, or over the deadline.
        """
        until = time.monotonic() + self._deadline

        def work(client: Any) -> None:
            answers = client.build(
                fileobj=context,
                custom_context=True,
                tag=name,
                buildargs=dict(arguments),
                network_mode=network,
                rm=True,
                forcerm=True,
                decode=True,
                nocache=True,
                platform=platform or None,
            )
            for answer in answers:
                if "error" in answer:
                    raise SandboxUnavailable(
                        f"The engine could not build {name}: {str(answer['error']).strip()}",
                        advice="Without a registry: yett sandbox build base, which needs none.",
                    )
                for line in str(answer.get("stream") or answer.get("status") or "").splitlines():
                    on_line(line)
                if time.monotonic() > until:
                    raise SandboxUnavailable(f"Building {name} took longer than {self._deadline:.0f} s.")

        self._ask("build image", work)

    def remove(self, image: str) -> None:
        """Take a name away from an image, and the image if that was its last."""

        def work(client: Any) -> None:
            try:
                client.remove_image(image, noprune=False)
            except APIError as fault:
                if fault.status_code not in {404, 409}:
                    raise

        self._ask("remove image", work)

    def _ask(self, what: str, function: Callable[[Any], T]) -> T:
        try:
            if self._client is None:
                _knock(self._engine)
                self._client = docker.APIClient(
                    base_url=self._engine, version="auto", timeout=max(1, int(self._deadline / 4))
                )
            return function(self._client)
        except APIError as fault:
            raise SandboxUnavailable(f"{what}: {fault.explanation or fault}", advice=_ADVICE) from fault
        except (DockerException, requests.RequestException, OSError) as fault:
            raise SandboxUnavailable(
                f"no container engine answers at {self._engine} ({what}: {fault})", advice=_ADVICE
            ) from fault


class _Stream:
    """Chunks as something to read from, with a deadline for the whole."""

    def __init__(self, chunks: Iterator[bytes], until: float) -> None:
        self._chunks = chunks
        self._until = until
        self._left = b""

    def read(self, size: int) -> bytes:
        parts, have = [self._left], len(self._left)
        while have < size:
            if time.monotonic() > self._until:
                raise SandboxUnavailable("export image: the engine took too long", advice=_ADVICE)
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            parts.append(chunk)
            have += len(chunk)
        whole = b"".join(parts)
        self._left = whole[size:]
        return whole[:size]


def _knock(engine: str) -> None:
    """See that somebody listens; the SDK leaves its socket to the garbage collector when nobody does."""
    scheme, _, path = engine.partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(_KNOCK)
            probe.connect(path)
