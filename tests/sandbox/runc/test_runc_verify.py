# SPDX-License-Identifier: Apache-2.0
"""The same look from inside, with the same expectations, at a container that no engine made."""

import pytest
from test_sandbox_verify import (
    test_a_control_that_the_kernel_does_not_enforce_is_seen,
    test_the_kernel_agrees_with_every_control_that_was_asked_for,
)

pytestmark = pytest.mark.anyio

__all__ = [
    "test_a_control_that_the_kernel_does_not_enforce_is_seen",
    "test_the_kernel_agrees_with_every_control_that_was_asked_for",
]
