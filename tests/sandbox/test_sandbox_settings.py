# SPDX-License-Identifier: Apache-2.0
from dataclasses import fields

import pytest

from yett.errors import ConfigurationError
from yett.sandbox.settings import _NOT_NEGATIVE, _POSITIVE, MIB, SandboxSettings


@pytest.mark.parametrize("name", _POSITIVE)
@pytest.mark.parametrize("value", [0, -1])
def test_zero_never_switches_a_limit_off(name, value):
    with pytest.raises(ConfigurationError, match=name) as refused:
        SandboxSettings(**{name: value})
    assert refused.value.path == (name,)


@pytest.mark.parametrize("name", _NOT_NEGATIVE)
def test_a_number_of_things_may_be_zero_and_not_less(name):
    assert getattr(SandboxSettings(**{name: 0}), name) == 0
    with pytest.raises(ConfigurationError, match=name):
        SandboxSettings(**{name: -1})


@pytest.mark.parametrize(
    ("name", "value"), [("driver", "podman"), ("lifetime", "forever"), ("after_timeout", "hope")]
)
def test_an_unknown_word_is_refused(name, value):
    with pytest.raises(ConfigurationError, match=name):
        SandboxSettings(**{name: value})


def test_memory_under_what_the_engine_takes_is_refused():
    SandboxSettings(memory=6 * MIB)
    with pytest.raises(ConfigurationError, match="memory"):
        SandboxSettings(memory=6 * MIB - 1)


@pytest.mark.parametrize("name", ["request_limit", "file_limit"])
def test_a_request_larger_than_the_runner_takes_is_refused(name):
    most = 32 * MIB - 65536
    SandboxSettings(**{name: most})
    with pytest.raises(ConfigurationError, match="32 MiB"):
        SandboxSettings(**{name: most + 1})


def test_every_number_is_checked():
    plain = SandboxSettings()
    numbers = {f.name for f in fields(plain) if isinstance(getattr(plain, f.name), int | float)}
    assert numbers == {*_POSITIVE, *_NOT_NEGATIVE}


@pytest.mark.parametrize(
    ("name", "value"),
    [("runtime", "runsc"), ("transport", "attach"), ("runc_images", "images"), ("runc_state", "run")],
)
def test_what_the_runc_driver_cannot_do_is_refused_before_anything_is_made(name, value):
    with pytest.raises(ConfigurationError, match="runc") as refused:
        SandboxSettings(driver="runc", **{name: value})
    assert refused.value.path == (name,)
