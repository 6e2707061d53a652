# SPDX-License-Identifier: Apache-2.0
"""Cloud machines hand out credentials at an address that every process with a network can reach."""

import pytest
from sandbox_world import sh

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

ADDRESSES = (
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "fd00:ec2::254",
    "metadata.google.internal",
)


async def test_no_metadata_service_can_be_reached(sandboxes_of):
    async with sandboxes_of() as boxes, boxes.lease("s") as box:
        for address in ADDRESSES:
            host = f"[{address}]" if ":" in address else address
            result = await box.run(
                sh(f"wget -T 2 -q -O - http://{host}/latest/meta-data/; nc -w 1 {address} 80")
            )
            assert (result.exit_code, result.stdout) == (1, b""), address
            assert not result.timed_out
