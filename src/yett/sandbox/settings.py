# SPDX-License-Identifier: Apache-2.0
"""Every limit of the sandbox, in one frozen value with safe defaults.

`app.py` maps `tools.shell` of `yett.yaml` onto it. It checks its own numbers when it is made, so that
no other module of the room has to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from yett.errors import ConfigurationError
from yett.sandbox.engine_address import EngineAddress
from yett.sandbox.wire import SLOTS

KIB = 1 << 10
MIB = 1 << 20

_POSITIVE = (
    "timeout",
    "memory",
    "cpus",
    "pids",
    "work_size",
    "tmp_size",
    "shm_size",
    "inodes",
    "open_files",
    "file_size",
    "output_limit",
    "flood_limit",
    "file_limit",
    "list_limit",
    "request_limit",
    "engine_deadline",
    "start_deadline",
    "transport_deadline",
    "progress_deadline",
    "background",
    "background_timeout",
    "background_ended",
    "breaker_pause",
    "kill_grace",
    "file_deadline",
    "idle",
    "containers",
    "queue_wait",
    "image_size",
    "image_files",
)
_NOT_NEGATIVE = ("queue", "spares")
_WORDS = {
    "driver": ("docker", "runc"),
    "lifetime": ("session", "call"),
    "after_timeout": ("destroy", "keep"),
    "transport": ("auto", "socket", "attach"),
}
_RUNNER_REQUEST = 32 * MIB
"""MAX_REQUEST of runner.c: the runner ends the container on anything larger."""


def _default_environment() -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/workspace",
        "TMPDIR": "/tmp",  # noqa: S108  (the container's own tmpfs)
        "LANG": "C.UTF-8",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """What a sandbox may use and how long things may take. Sizes are bytes, times are seconds.

    Attributes:
        driver: who makes containers: a Docker Engine, or runc itself without one (root only).
        engine: where the Docker Engine API listens.
        runc_images, runc_state: absolute folders of the runc driver, shared by the gateways of a machine:
            unpacked images (every user must be able to pass through), and running containers (in memory).
        image_size, image_files: of an image that the runc driver unpacks, bytes and entries.
        image: an image with `/yett-runner` in it.
        runtime: an OCI runtime the engine knows (`runc`, `runsc`).
        workspace: a folder of the host at /workspace, read-only; without one it is empty and writable.
        lifetime: `session` keeps the container between the calls of a session; `call` never uses one twice.
        timeout: the longest a command may run; a longer wish is lowered to this.
        after_timeout: `destroy` throws the container away with its files; `keep` keeps it when its runner
            confirms within `kill_grace` that everything is dead.
        memory: RAM and swap together, tmpfs included.
        work_size, tmp_size, shm_size, inodes: what the writable file systems hold.
        file_size, open_files: ulimits of each process.
        output_limit: kept of each output stream; `flood_limit` of both ends the program.
        file_limit: of one file read or written in one call; `list_limit` counts directory entries.
        request_limit: argv, environment and standard input together.
        engine_deadline: for each call of the Engine API; after a missed one the engine is left alone
            for `breaker_pause`.
        kill_grace: how long the dead may take to be dead before the engine is told to remove the container.
        file_deadline: for one read, write or list.
        transport: how bytes reach a container: `socket` is mounted, `attach` is the engine's stream; `auto`
            is what the first container's runner came through, the socket if within `transport_deadline`.
        background: programs that a session may leave running, 1 to 8; each for `background_timeout` at most.
            The last `background_ended` that ended are remembered with their output.
        progress_deadline: how long whoever follows a program's output may take for a piece of it; later ones
            are then not told.
        start_deadline: from the start of a container until its runner has said hello.
        idle: after this long without a call a session's container is destroyed.
        containers: at most this many at a time; `queue` calls may wait for a busy one, `queue_wait` each.
        spares: containers kept started for sessions that have none yet.
        environment: what every program gets; a call's own variables win.
    """

    driver: Literal["docker", "runc"] = "docker"
    engine: str = "unix:///var/run/docker.sock"
    runc_images: str = "/var/lib/yett/images"
    runc_state: str = "/run/yett-runc"
    image_size: int = 4096 * MIB
    image_files: int = 500_000
    transport: Literal["auto", "socket", "attach"] = "auto"
    image: str = "yett/tiny:latest"
    runtime: str = "runc"
    workspace: str = ""
    lifetime: Literal["session", "call"] = "session"
    timeout: float = 60.0
    after_timeout: Literal["destroy", "keep"] = "destroy"
    memory: int = 512 * MIB
    cpus: float = 1.0
    pids: int = 128
    work_size: int = 256 * MIB
    tmp_size: int = 64 * MIB
    shm_size: int = 16 * MIB
    inodes: int = 16384
    file_size: int = 64 * MIB
    open_files: int = 256
    output_limit: int = MIB
    flood_limit: int = 16 * MIB
    file_limit: int = 8 * MIB
    list_limit: int = 5000
    request_limit: int = 4 * MIB
    engine_deadline: float = 10.0
    start_deadline: float = 20.0
    transport_deadline: float = 5.0
    progress_deadline: float = 2.0
    background: int = 4
    background_timeout: float = 1800.0
    background_ended: int = 8
    breaker_pause: float = 5.0
    kill_grace: float = 0.5
    file_deadline: float = 20.0
    idle: float = 900.0
    containers: int = 32
    queue: int = 4
    queue_wait: float = 60.0
    spares: int = 1
    environment: Mapping[str, str] = field(default_factory=_default_environment)

    def __post_init__(self) -> None:
        """Refuse numbers that would switch a limit off.

        Raises:
            ConfigurationError: zero or negative where that means "no limit" to an engine, an unknown word.
        """
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"sandbox {name} must be more than zero", path=(name,))
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise ConfigurationError(f"sandbox {name} must not be negative", path=(name,))
        self._check_words()
        self._check_driver()
        EngineAddress.parse(self.engine)
        if self.background > SLOTS:
            raise ConfigurationError(
                f"a sandbox holds {SLOTS} background programs at most", path=("background",)
            )
        if max(self.request_limit, self.file_limit) > _RUNNER_REQUEST - 64 * KIB:
            raise ConfigurationError(
                "request_limit and file_limit must stay under 32 MiB", path=("request_limit",)
            )
        if self.workspace and not self.workspace.startswith("/"):
            raise ConfigurationError("sandbox workspace must be an absolute path", path=("workspace",))
        if self.memory < 6 * MIB:
            raise ConfigurationError("the engine takes no memory limit under 6 MiB", path=("memory",))

    def _check_words(self) -> None:
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise ConfigurationError(
                    f"sandbox {name} is {' or '.join(f'`{word}`' for word in words)}", path=(name,)
                )

    def _check_driver(self) -> None:
        for name in ("runc_images", "runc_state"):
            if not getattr(self, name).startswith("/"):
                raise ConfigurationError(f"sandbox {name} must be an absolute path", path=(name,))
        if self.driver == "runc" and self.runtime != "runc":
            raise ConfigurationError("the runc driver has no other runtime than runc", path=("runtime",))
        if self.driver == "runc" and self.transport == "attach":
            raise ConfigurationError("the runc driver has no stream to attach to", path=("transport",))
