# SPDX-License-Identifier: Apache-2.0
"""Calls of a tool as the pipeline makes them, without the pipeline."""

from yett.action import Action, Authorized, Decision, Effect, Kind, Principal


def authorized(tool, arguments, *, session="s-1", deadline=60.0, **more):
    action = Action(
        id="a-1",
        kind=Kind.TOOL,
        tool=tool.definition,
        arguments=arguments,
        principal=Principal(agent="r", id="spiffe://x/agent/r", session=session),
        received_at=0.0,
    )
    decision = Decision(effect=Effect.ALLOW, rule="r", reason="")
    return Authorized(action=action, decision=decision, deadline=deadline, **{"screen": as_it_is, **more})


async def as_it_is(text):
    return text


async def done(tool, *, session="s-1", **arguments):
    return await tool.run(authorized(tool, arguments, session=session))


def text_of(result):
    return result.content[0]["text"]
