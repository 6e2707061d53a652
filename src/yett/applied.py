# SPDX-License-Identifier: Apache-2.0
"""What is in force while `yett.yaml` says something else than an administrator applied (law 7).

`yett policy apply` keeps a copy of the file as the applied one. When the file differs from the copy,
both bind: rules are decided under both and the stricter verdict counts, an agent or an egress host
must stand in both, privacy runs both. So a stricter file takes effect at once, and nothing that it
newly allows does before it is applied. What can't be combined stays as applied. Called by `app.py`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from yett.action import Action, FindingAction, JsonObject, RedactedArguments, RedactedResult, ToolResult
from yett.config.load import Configuration, parse
from yett.config.settings import Settings
from yett.ports import Redact

FILE = "applied.yaml"
PROTECTED_SECTIONS = (
    "listen",
    "tools",
    "upstreams",
    "approvals",
    "audit",
    "sessions",
    "trust_domain",
    "state",
)
"""Sections that take effect when the gateway starts again after an apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The applied configuration, and the file's own where it is not applied yet."""

    applied: Configuration
    candidate: Configuration | None = None

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """All that bind, the applied one first."""
        return (self.applied,) if self.candidate is None else (self.applied, self.candidate)

    @property
    def settings(self) -> Settings:
        """The applied settings, without what the file no longer names."""
        settings = self.applied.settings
        if self.candidate is None:
            return settings
        other = self.candidate.settings
        agents = {
            name: agent.model_copy(
                update={"roles": tuple(r for r in agent.roles if r in other.agents[name].roles)}
            )
            for name, agent in settings.agents.items()
            if name in other.agents
        }
        people = {
            name: person.model_copy(
                update={"groups": tuple(g for g in person.groups if g in other.people[name].groups)}
            )
            for name, person in settings.people.items()
            if name in other.people
        }
        allow = tuple(rule for rule in settings.egress.allow if rule in other.egress.allow)
        egress = settings.egress.model_copy(update={"allow": allow})
        return settings.model_copy(update={"agents": agents, "people": people, "egress": egress})


def read_in_force(configuration: Configuration) -> InForce:
    """What binds for this file. A file that was never applied is the first, and is applied now."""
    path = configuration.state / FILE
    if not path.exists():
        write_applied(configuration)
        return InForce(applied=configuration)
    applied = parse(path.read_text(encoding="utf-8"), configuration.path)
    if applied.digest == configuration.digest:
        return InForce(applied=configuration)
    return InForce(applied=applied, candidate=configuration)


def write_applied(configuration: Configuration) -> None:
    """Keep the file as the applied one; durable on return."""
    path = configuration.state / FILE
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(configuration.text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def waiting_for_restart(before: Configuration, after: Configuration) -> tuple[str, ...]:
    """The sections that differ and are read at start only."""
    old, new = before.document.value, after.document.value
    return tuple(section for section in PROTECTED_SECTIONS if old.get(section) != new.get(section))


class BothRedact:
    """Privacy under two configurations: the second works on what the first left (`ports.Redact`)."""

    def __init__(self, first: Redact, second: Redact) -> None:
        self._first = first
        self._second = second

    def outbound(self, action: Action, *, resumed: bool) -> RedactedArguments:
        """Masks of both, blocks of either."""
        one = self._first.outbound(action, resumed=resumed)
        two = self._second.outbound(action, resumed=resumed)
        if one.changed and not two.blocked:
            # The first one's own masks are not what an agent wrote: they are no fault the second time.
            two = self._second.outbound(replace(action, arguments=one.arguments), resumed=True)
        return RedactedArguments(arguments=two.arguments, findings=one.findings + two.findings)

    def inbound(self, action: Action, result: ToolResult) -> RedactedResult:
        """Masks of both, withheld by either."""
        one = self._first.inbound(action, result)
        two = self._second.inbound(action, result)
        if not any(finding.action is FindingAction.BLOCK for finding in two.findings):
            two = self._second.inbound(action, one.result)
        return RedactedResult(result=two.result, findings=one.findings + two.findings)

    def logged(self, arguments: JsonObject, *, clean: bool = False) -> JsonObject:
        """Masks everything private; one of them is enough."""
        return self._first.logged(arguments, clean=clean)
