# SPDX-License-Identifier: Apache-2.0
"""A client that gives a progress token is told how its call goes, on both transports and in both eras."""

import anyio
import pytest

from running import ERAS, TRANSPORTS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_call_with_a_token_is_told_of_while_it_runs_and_not_after(gate, transport, era):
    told = []
    path = f"/slow/{transport}/{era}"
    gate.witness.let_go.clear()

    async def hear(progress, total, message):
        told.append((progress, total, message))
        if len(told) == 2:
            gate.witness.let_go.set()

    try:
        with anyio.fail_after(30):
            async with gate.client(transport, mode=era) as client:
                arguments = gate.fetching(path)
                result = await client.call_tool("http_request", arguments, progress_callback=hear)
                heard = list(told)
                await gate.fetch(client, "/after")
    finally:
        gate.witness.let_go.set()
    assert not result.is_error
    assert len(heard) >= 2
    assert [progress for progress, _, _ in heard] == sorted({progress for progress, _, _ in heard})
    assert {total for _, total, _ in heard} == {None}
    assert all(message.endswith(" s") for _, _, message in heard)
    assert told == heard
