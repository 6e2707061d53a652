# SPDX-License-Identifier: Apache-2.0
"""An upstream over HTTP that redirects our credentials away, or answers without end."""

from __future__ import annotations

import sys
from pathlib import Path

import anyio
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "upstreams"))
from hostile_http import hostile_http
from upstream_calls import call_to, limits

from yett.action import Secret
from yett.errors import ExecutionTimeout, UpstreamError
from yett.upstreams.settings import UpstreamSpec
from yett.upstreams.upstreams import Upstreams


@pytest.mark.parametrize("how", ["redirect", "huge", "bomb", "event", "html", "status"])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_answer_that_is_none_fails_the_call_and_moves_no_credential(how, mode):
    async def run(state):
        spec = UpstreamSpec(
            name="bad",
            url=f"http://127.0.0.1:{state.port}/mcp",
            mode=mode,
            credentials=Secret("Bearer s3cr3t"),
        )
        async with Upstreams([spec], limits()).running() as upstreams:
            state.how = how
            try:
                result = await upstreams.run(call_to(upstreams, "bad__tool", deadline=3.0))
            except (UpstreamError, ExecutionTimeout) as error:
                assert "s3cr3t" not in str(error)  # noqa: PT017 - either way the call has failed
            else:
                assert result.is_error
                assert "s3cr3t" not in str(result)

    with hostile_http() as state:
        anyio.run(run, state)
        assert {path for path, _ in state.seen} == {"/mcp"}
        assert {headers["Authorization"] for _, headers in state.seen} == {"Bearer s3cr3t"}
