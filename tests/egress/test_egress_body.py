# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gzip

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.egress.body import read_body
from yett.errors import ExecutionError


def read(data, coding, limit, size=7):
    async def pieces():
        for at in range(0, len(data), size):
            yield data[at : at + size]

    async def run():
        return await read_body(pieces(), coding, limit)

    return anyio.run(run)


@given(
    st.binary(max_size=200),
    st.integers(0, 220),
    st.sampled_from(["gzip", "", "identity", "X-GZIP"]),
    st.integers(1, 64),
)
def test_a_body_is_its_beginning_up_to_the_limit(body, limit, coding, size):
    wire = gzip.compress(body, mtime=0) if "gzip" in coding.lower() else body
    assert read(wire, coding, limit, size) == (body[:limit], len(body) > limit)


def test_members_of_a_gzip_stream_follow_each_other():
    assert read(gzip.compress(b"one", mtime=0) + gzip.compress(b"two", mtime=0), "gzip", 100) == (
        b"onetwo",
        False,
    )


def test_endless_empty_members_end():
    assert read(gzip.compress(b"", mtime=0) * 10_000, "gzip", 100, 4096)[1] is True


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "compress"])
def test_a_coding_that_was_not_asked_for_is_an_error(coding):
    with pytest.raises(ExecutionError, match="not asked for"):
        read(b"x", coding, 10)


@pytest.mark.parametrize(
    "wire", [b"no gzip", gzip.compress(b"x" * 100, mtime=0)[:-9], gzip.compress(b"x", mtime=0) + b"tail"]
)
def test_damaged_data_is_an_error(wire):
    with pytest.raises(ExecutionError):
        read(wire, "gzip", 1000)
