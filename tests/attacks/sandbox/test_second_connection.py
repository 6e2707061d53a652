# SPDX-License-Identifier: Apache-2.0
import socket

import anyio
import pytest
from sandbox_world import sh

from yett.errors import SandboxUnavailable

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_the_socket_in_the_container_takes_no_second_connection(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        result = await box.run(sh("echo forged | nc local:/run/yett.sock; rm -f /run/yett.sock; ls /run"))
        again = await box.run(sh("/yett-runner /run/yett.sock; echo $?", env={"YETT_HELLO": "x"}))
        assert result.stdout == b"yett.sock\n"
        assert again.stdout == b"97\n"  # EXIT_CONNECT


async def test_another_process_that_connects_first_is_not_taken_for_the_runner(
    settings_of, run_dir, entropy, sandboxes_of, monkeypatch
):
    """Something on the host that may enter the folder races the container's PID 1, even with the secret."""
    boxes = sandboxes_of()
    start = boxes.engine.start
    mine = socket.socket(socket.AF_UNIX)
    spoken = []
    real = entropy.token
    monkeypatch.setattr(entropy, "token", lambda: spoken.append(real()) or spoken[-1])

    async def raced(name):
        folder = next(run_dir.iterdir())
        mine.connect(str(folder / "s"))
        mine.sendall((len(spoken[0]) + 1).to_bytes(4, "little") + b"R\2" + spoken[0].encode())
        await start(name)

    monkeypatch.setattr(boxes.engine, "start", raced)
    with mine:
        async with boxes:
            with pytest.raises(SandboxUnavailable, match="not PID 1"):
                async with boxes.lease("s"):
                    pass


async def test_a_runner_that_does_not_know_the_secret_is_refused(sandboxes_of, monkeypatch):
    boxes = sandboxes_of()
    create = boxes.engine.create

    async def altered(name, config):
        await create(name, {**config, "Env": ["YETT_HELLO=guessed"]})

    monkeypatch.setattr(boxes.engine, "create", altered)
    async with boxes:
        with pytest.raises(SandboxUnavailable, match="secret"):
            async with boxes.lease("s"):
                pass


async def test_a_container_whose_runner_never_connects_is_given_up(sandboxes_of, monkeypatch):
    boxes = sandboxes_of(start_deadline=0.5)
    create = boxes.engine.create

    async def altered(name, config):
        await create(name, {**config, "Entrypoint": ["/bin/sleep"], "Cmd": ["60"]})

    monkeypatch.setattr(boxes.engine, "create", altered)
    async with boxes:
        with pytest.raises(SandboxUnavailable, match="did not connect in time"), anyio.fail_after(10):
            async with boxes.lease("s"):
                pass
