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
    "max_age",
    "containers",
    "per_agent",
    "evict_after",
    "backlog",
    "queue_wait",
    "image_size",
    "image_files",
    "refillers",
    "spare_age",
    "reap_interval",
)
_NOT_NEGATIVE = ("queue", "warm")
_WORDS = {
    "driver": ("docker", "runc"),
    "lifetime": ("session", "call"),
    "after_timeout": ("destroy", "keep"),
    "transport": ("auto", "socket", "attach"),
}
_RUNNER_REQUEST = 32 * MIB
_ON_THIS_KERNEL = frozenset({"runc", "crun"})
_SENTRY_THREADS = 8
_SENTRY_ITSELF = 256
"""MAX_REQUEST of runner.c: the runner ends the container on anything larger."""


UID = 60871
"""Who programs run as where no folder of the host says otherwise.

One that distributions and systemd leave unused: what has a container's user on the host can look into it.
"""

PROTECTED = (
    ".git",
    ".githooks",
    ".husky",
    ".pre-commit-config.yaml",
    ".github",
    ".gitlab-ci.yml",
    ".envrc",
    ".mise.toml",
    ".vscode",
    ".idea",
    ".zed",
    ".devcontainer",
    ".claude",
    ".cursor",
    ".codex",
    ".gemini",
    ".mcp.json",
)
"""What tools of the developer run or obey by themselves: hooks and settings of git, what a server builds
after a push, what a shell loads in the folder, tasks of editors, hooks and servers of other agents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWorkspace:
    """A folder of the host at /workspace. Sizes are bytes.

    Attributes:
        path: absolute, no part of it a symbolic link.
        writable: whether programs may write to it; they run as `uid` and `gid` then, its owner.
        quota, files: what it may hold; over it, programs that make it grow are killed.
        reserve: what must stay free on its file system.
        protect: names that are mounted read-only over it, where there are such.
        disk_rate, disk_operations: of its disk, a second, for reading and for writing.
        interval: seconds between two looks at what it holds, while something runs.
    """

    path: str
    writable: bool = False
    uid: int = UID
    gid: int = UID
    quota: int = 1024 * MIB
    files: int = 200_000
    reserve: int = 512 * MIB
    protect: tuple[str, ...] = PROTECTED
    disk_rate: int = 128 * MIB
    disk_operations: int = 4000
    interval: float = 0.25

    def __post_init__(self) -> None:
        """Refuse what would be no limit, and a folder that belongs to root.

        Raises:
            ConfigurationError: which, and what to do.
        """
        for name in ("quota", "files", "reserve", "disk_rate", "disk_operations", "interval"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"sandbox workspace {name} must be more than zero", path=(name,))
        if not self.path.startswith("/"):
            raise ConfigurationError("sandbox workspace must be an absolute path", path=("workspace",))
        for name in self.protect:
            if not name or "/" in name or name in {".", ".."} or "\0" in name:
                raise ConfigurationError(
                    f"{name!r} can't be protected: only a name directly in the workspace can, because a"
                    " program could move the folder that holds it",
                    path=("protect",),
                )
        if self.writable and 0 in {self.uid, self.gid}:
            raise ConfigurationError(
                f"{self.path} belongs to root, and programs that write to it would run as root",
                path=("workspace",),
                advice=f"give it to the user who works there: chown USER: {self.path}",
            )


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
        workspace: a folder of the host at /workspace; without one it is empty and in memory.
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
        max_age: a session's container this old is destroyed between two calls, background programs or not.
        containers: at most this many alive at a time, `per_agent` of them for one agent.
        evict_after: a session's container that was idle this long makes room for another session's when all
            are in use; the longest idle one first, never one with a background program.
        queue: calls that may wait for a session's busy container, `queue_wait` each.
        backlog: calls that may wait for a never-used container, `queue_wait` each.
        warm: never-used containers kept ready; `refillers` make them, so many at a time.
        spare_age: a never-used container this old is replaced.
        reap_interval: how often containers and socket folders that nobody holds are looked for.
        environment: what every program gets; a call's own variables win.
        files: what every new container gets, by path.
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
    workspace: HostWorkspace | None = None
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
    max_age: float = 86_400.0
    containers: int = 32
    per_agent: int = 8
    evict_after: float = 60.0
    queue: int = 4
    backlog: int = 64
    queue_wait: float = 60.0
    warm: int = 2
    refillers: int = 2
    spare_age: float = 600.0
    reap_interval: float = 60.0
    environment: Mapping[str, str] = field(default_factory=_default_environment)
    files: Mapping[str, bytes] = field(default_factory=dict)

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
        if self.memory < 6 * MIB:
            raise ConfigurationError("the engine takes no memory limit under 6 MiB", path=("memory",))

    @property
    def user(self) -> tuple[int, int]:
        """The uid and gid of everything in a container, as the container sees them."""
        writable = self.workspace is not None and self.workspace.writable
        return (self.workspace.uid, self.workspace.gid) if self.workspace and writable else (UID, UID)

    @property
    def host_pids(self) -> int:
        """What the container's cgroup may hold on the host, for `pids` of its own.

        Under gVisor each process of a program is several threads of the host, beside the Sentry's own, and a
        Sentry that gets no thread when it wants one dies with everything in it.
        """
        if self.runtime in _ON_THIS_KERNEL:
            return self.pids
        return self.pids * _SENTRY_THREADS + _SENTRY_ITSELF

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
