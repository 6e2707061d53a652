# SPDX-License-Identifier: Apache-2.0
"""A folder of the host as the workspace: read-only, and nothing of the host beside it."""

import pytest

from yett.errors import ConfigurationError
from yett.ports import Command
from yett.sandbox.settings import SandboxSettings
from yett.sandbox.verify import verify_hardening

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


async def test_a_host_folder_is_readable_and_can_not_be_written(tmp_path, sandboxes_of, settings_of):
    folder = tmp_path / "project"
    folder.mkdir()
    (tmp_path / "beside").write_text("not yours")
    (folder / "notes.txt").write_text("hello")
    (folder / "out").symlink_to("../beside")
    folder.chmod(0o755)
    settings = settings_of(workspace=str(folder))
    async with sandboxes_of(workspace=str(folder)) as boxes, boxes.lease("ses-1") as box:
        assert (await box.read("/workspace/notes.txt", offset=0, limit=100))[0] == b"hello"
        ended = await box.run(
            Command(argv=("/bin/sh", "-c", "echo x > /workspace/notes.txt; cat /workspace/out; mount"))
        )
        assert b"Read-only" in ended.stderr
        assert b"not yours" not in ended.stdout
        controls = {c.control: c for c in await verify_hardening(box, settings)}
    assert all(control.ok for control in controls.values()), controls
    assert (folder / "notes.txt").read_text() == "hello"


def test_a_relative_workspace_is_refused():
    with pytest.raises(ConfigurationError, match="absolute"):
        SandboxSettings(workspace="project")
