# SPDX-License-Identifier: Apache-2.0
"""The command line's end of the operator's line: one verb to the running gateway, one answer.

A gateway is started when none runs, as the shim does. Used by every command that changes or reads
live state.
"""

from __future__ import annotations

import json

from yett import shim
from yett.action import JsonObject, JsonValue
from yett.config.load import Configuration, configuration_path, load
from yett.errors import BadRequest, EnvironmentFault

ANSWER_DEADLINE = 60.0


def configuration(given: str | None) -> Configuration:
    """The configuration that a command works on."""
    return load(configuration_path(given))


def ask(known: Configuration, verb: str, **arguments: JsonValue) -> JsonValue:
    """Send a verb; give back its value.

    Raises:
        BadRequest: the gateway said no; the text is its own.
        EnvironmentFault: no gateway answers and none can be started.
    """
    try:
        link = shim.open_line(str(known.state / "control.sock"), str(known.path))
    except shim.ShimError as error:
        raise EnvironmentFault(str(error)) from error
    request: JsonObject = {"verb": verb, **arguments}
    answer = b""
    with link:
        link.settimeout(ANSWER_DEADLINE)
        try:
            link.sendall(json.dumps(request).encode() + b"\n")
            while not answer.endswith(b"\n"):
                part = link.recv(1 << 16)
                if not part:
                    break
                answer += part
        except OSError as error:
            raise EnvironmentFault(f"the gateway does not answer: {error}") from error
    if not answer:
        raise EnvironmentFault(
            "the gateway closed the line; commands work for the user that runs the gateway, and root"
        )
    said = json.loads(answer)
    if not said.get("ok"):
        raise BadRequest(str(said.get("error")), advice=str(said.get("advice", "")))
    value: JsonValue = said.get("value")
    return value


def running(known: Configuration) -> bool:
    """Whether a gateway listens; none is started."""
    link = shim.connect(str(known.state / "control.sock"))
    if link is None:
        return False
    link.close()
    return True
