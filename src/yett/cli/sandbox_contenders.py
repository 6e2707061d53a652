# SPDX-License-Identifier: Apache-2.0
"""The ways to run one small program that `yett sandbox bench` puts side by side.

All run `/bin/echo hi`. A tool that is not on this machine is named as absent; nothing is guessed. What a
contender starts, it ends.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from yett.errors import SandboxUnavailable
from yett.ports import Command, Sandboxes
from yett.sandbox.hardening import UID
from yett.sandbox.images import seccomp_profile
from yett.sandbox.settings import SandboxSettings

ECHO = ("/bin/echo", "hi")
BENCH_LABEL = "yett.bench"

_DEADLINE = 60.0
_EXEC, _RUN = "docker exec", "docker run --rm, same hardening"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One way. `call` runs the program once; `pause` is seconds to leave before it, unmeasured."""

    name: str
    call: Callable[[], Awaitable[None]]
    pause: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A way that cannot be measured here, and why."""

    name: str
    why: str


OtherWays = Callable[[SandboxSettings, str], AbstractAsyncContextManager[list[Contender | Absent]]]
"""Ways beside ours, for these limits; containers are labelled with the word."""


async def lease_and_echo(sandboxes: Sandboxes, session: str) -> None:
    """One call through a pool, from asking for the container until it was given back.

    Raises:
        SandboxUnavailable: the program did not say what it should.
    """
    async with sandboxes.lease(session) as box:
        done = await box.run(Command(argv=ECHO))
    if done.stdout != b"hi\n":
        raise SandboxUnavailable(f"the benchmark's program did not run: {done}")


@asynccontextmanager
async def other_ways(settings: SandboxSettings, label: str) -> AsyncIterator[list[Contender | Absent]]:
    """Everything but ours: docker run, docker exec, bubblewrap, a plain process.

    Args:
        settings: the limits; Docker's containers get the same.
        label: of the containers made here, so that they can be found.
    """
    async with AsyncExitStack() as stack:
        ways: list[Contender | Absent] = [_program("plain process", ECHO), _bubblewrap()]
        docker = shutil.which("docker")
        if docker is None:
            why = "no docker command here: apt-get install docker.io"
            ways += [Absent(name=name, why=why) for name in (_EXEC, _RUN)]
        else:
            client = (docker, "--host", settings.engine)
            flags = _docker_flags(settings, stack, label)
            ready = await stack.enter_async_context(_standing(client, flags, settings.image))
            once = (*client, "run", "--rm", *flags, f"--entrypoint={ECHO[0]}", settings.image, *ECHO[1:])
            ways += [_program(_EXEC, (*client, "exec", ready, *ECHO)), _program(_RUN, once)]
        yield ways


def _bubblewrap() -> Contender | Absent:
    name, bwrap = "bubblewrap --unshare-all", shutil.which("bwrap")
    if bwrap is None:
        return Absent(name=name, why="not installed: apt-get install bubblewrap")
    # Not all of "/": file systems of containers below it come and go, and bubblewrap gives up on that.
    folders = (
        word for folder in ("/usr", "/bin", "/lib", "/lib64") for word in ("--ro-bind-try", folder, folder)
    )
    view = (*folders, "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp")  # noqa: S108  (its own)
    return _program(name, (bwrap, "--unshare-all", "--die-with-parent", *view, *ECHO))


def _program(name: str, argv: tuple[str, ...]) -> Contender:
    async def call() -> None:
        with anyio.fail_after(_DEADLINE):
            done = await anyio.run_process(argv, check=False)
        if done.stdout != b"hi\n":
            raise SandboxUnavailable(
                f"{name} did not run: {done.stderr.decode(errors='replace').strip()[:300]}"
            )

    return Contender(name=name, call=call)


@asynccontextmanager
async def _standing(client: tuple[str, ...], flags: list[str], image: str) -> AsyncIterator[str]:
    """A hardened container that does nothing, for `docker exec`."""
    argv = (*client, "run", "--detach", "--rm", *flags, "--entrypoint=/bin/sleep", image, "3600")
    with anyio.fail_after(_DEADLINE):
        started = await anyio.run_process(argv, check=False)
    if started.returncode:
        raise SandboxUnavailable(
            f"docker run failed: {started.stderr.decode(errors='replace').strip()[:300]}"
        )
    name = started.stdout.decode().strip()
    try:
        yield name
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_DEADLINE):
            await anyio.run_process((*client, "rm", "--force", name), check=False)


def _docker_flags(settings: SandboxSettings, stack: AsyncExitStack, label: str) -> list[str]:
    """The controls of our containers as words of `docker run`."""
    profile = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="yett-bench-"))) / "seccomp.json"
    profile.write_text(seccomp_profile())
    files = f"rw,nosuid,nodev,nr_inodes={settings.inodes},uid={UID},gid={UID}"
    return [
        f"--label={BENCH_LABEL}={label}",
        "--network=none",
        "--read-only",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        f"--security-opt=seccomp={profile}",
        f"--pids-limit={settings.pids}",
        f"--memory={settings.memory}",
        f"--memory-swap={settings.memory}",
        f"--cpus={settings.cpus}",
        "--cpu-shares=512",
        "--ipc=private",
        f"--shm-size={settings.shm_size}",
        "--cgroupns=private",
        "--log-driver=none",
        "--dns=127.0.0.1",
        "--no-healthcheck",
        f"--runtime={settings.runtime}",
        f"--user={UID}:{UID}",
        f"--tmpfs=/tmp:{files},noexec,size={settings.tmp_size}",
        f"--tmpfs=/workspace:{files},exec,size={settings.work_size}",
        f"--ulimit=nofile={settings.open_files}",
        f"--ulimit=fsize={settings.file_size}",
        "--ulimit=core=0",
    ]
