# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from privacy_samples import action

from yett.errors import BadRequest
from yett.privacy.vault import ClosedVault

WHO = action({}).principal


@pytest.mark.parametrize(
    "text",
    [
        "${secret:github}",
        "${ Secret : a}",
        "$\u200b{secret:a}",
        "\uff04{secret:a}",
        "PII_EMAIL_ADDRESS_7k3q2d2x",
    ],
)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: {"a": text},
        lambda text: {"a": [{"b": text}]},
        lambda text: {text: 1},
        lambda text: {"a": json.dumps({"b": json.dumps([text])})},
    ],
)
def test_a_placeholder_or_a_token_anywhere_is_refused(text, wrap):
    with pytest.raises(BadRequest):
        ClosedVault().resolve(wrap(text), WHO)


def test_everything_else_passes_as_it_is():
    arguments = {
        "a": "${HOME} {secret: 1} PII_EMAIL_notification",
        "b": [1, 2.5, None, True],
        "c": '{"x": "secret:"}',
    }
    assert ClosedVault().resolve(arguments, WHO) is arguments


@pytest.mark.parametrize("limit", [{"max_bytes": 2}, {"max_depth": 1}, {"max_leaves": 2}])
def test_over_a_limit_is_refused(limit):
    arguments = {"a": [["xy"]]}
    ClosedVault().resolve(arguments, WHO)
    with pytest.raises(BadRequest, match="over a limit"):
        ClosedVault(**limit).resolve(arguments, WHO)
