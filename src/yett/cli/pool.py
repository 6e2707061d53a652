# SPDX-License-Identifier: Apache-2.0
"""The numbers of a running gateway's containers, as a person reads them.

`yett status`, `yett sandbox status` and `yett doctor` show them. None is asked for where no gateway runs: a
command that looks starts nothing.
"""

from __future__ import annotations

from yett.action import JsonObject
from yett.cli import control
from yett.config.load import Configuration
from yett.errors import BadRequest


def pool_of(known: Configuration) -> JsonObject | None:
    """The pool's numbers; None where no gateway runs, or it has no sandbox or is too old to know."""
    if not control.running(known):
        return None
    try:
        found = control.ask(known, "sandboxes")
    except BadRequest:
        return None
    return found if isinstance(found, dict) else None


def in_words(pool: JsonObject) -> tuple[str, ...]:
    """One sentence each: how it is now, what has been, and whether the engine answers."""
    made = pool["refill_seconds"]
    took = "none was made yet" if made is None else f"one is made in {float(str(made)) * 1000:.0f} ms"
    now = (
        f"Containers of the gateway: {pool['alive']} of {pool['limit']} alive ({pool['warm']} of"
        f" {pool['wanted_warm']} warm, {pool['making']} being made, {pool['leased']} in a call,"
        f" {pool['idle']} idle), {pool['waiting']} calls wait for one; {took} (median)."
    )
    so_far = (
        f"Since its start: {pool['evicted']} taken from idle sessions, {pool['refused']} calls told to come"
        f" back, {pool['reaped']} leftovers removed. The breaker of its {pool['driver']} driver is"
        f" {pool['breaker']}."
    )
    return now, so_far


def trouble_of(pool: JsonObject) -> str:
    """What an operator has to do something about, or nothing."""
    if pool["problem"]:
        return f"serves nobody: {pool['problem']}"
    if pool["breaker"] != "closed":
        return f"the breaker is {pool['breaker']}: the {pool['driver']} driver did not answer in time"
    return ""
