# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yett.egress.headers import REFUSED, Masking, incoming, outgoing
from yett.egress.settings import EgressLimits
from yett.errors import EgressRefused

LIMITS = EgressLimits()


@pytest.mark.parametrize("name", [*REFUSED, "Transfer_Encoding", "X_HTTP_Method_Override", "HOST"])
def test_a_header_that_frames_routes_or_overrides_is_refused(name):
    with pytest.raises(EgressRefused, match="can't be set"):
        outgoing(((name, "x"),), LIMITS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("A b", "x"),
        ("A:", "x"),
        ("", "x"),
        ("A\r\n", "x"),
        ("A", "x\r\nHost: evil"),
        ("A", "\x00"),
        ("Ä", "x"),
        ("A", "ä"),
    ],
)
def test_a_header_that_can_not_be_written_is_refused(name, value):
    with pytest.raises(EgressRefused, match="characters"):
        outgoing(((name, value),), LIMITS)


def test_the_coding_is_ours_to_choose():
    assert outgoing((("Accept-Encoding", "br"), ("Accept", "a/b")), LIMITS) == [("Accept", "a/b")]


def test_headers_about_the_wire_do_not_come_back():
    raw = [(b"Content-Encoding", b"gzip"), (b"Content-Length", b"3"), (b"ETag", b"x")]
    assert incoming(raw, LIMITS) == (("etag", "x"),)


@given(st.binary(max_size=40), st.binary(max_size=40), st.text("ab", min_size=1, max_size=6), st.booleans())
def test_a_masked_body_never_holds_the_credential(before, after, secret, truncated):
    masked = Masking(secret).body(before + secret.encode() + after, truncated=truncated)
    assert secret.encode() not in masked
    if truncated:
        assert not any(masked.endswith(secret[:n].encode()) for n in range(1, len(secret)))
