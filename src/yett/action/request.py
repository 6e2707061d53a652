# SPDX-License-Identifier: Apache-2.0
"""What arrives and who asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from yett.action.telling import Tell
from yett.action.values import JsonObject, JsonValue, Label, Secret


class Kind(StrEnum):
    """What sort of thing passes the gate."""

    TOOL = "tool"
    RESOURCE = "resource"
    PROMPT = "prompt"
    SAMPLING = "sampling"
    ELICITATION = "elicitation"
    HTTP = "http"


class Transport(StrEnum):
    """How a request reached the gate."""

    STDIO = "stdio"
    HTTP = "http"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What a transport knows of a request before anyone is identified. All of it is claimed.

    `can_elicit` says that the client declared elicitation; `credential` is the bearer token or the
    shim's key. `client` is the client's own word and is used for display and hold times only.
    """

    transport: Transport
    credential: Secret | None = None
    source_ip: str | None = None
    client: str = ""
    protocol: str = ""
    can_elicit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """An identified caller: the agent, on whose behalf, in which session and task, from where.

    `roles` are the roles given directly in `yett.yaml`; inheritance is the policy's business.
    `session` is minted by the gate; `lineage` is the first session of the chain that this one
    continues, so that a reconnect changes nothing that is bound to it. `attributes` come from the
    configuration, never from the caller.
    """

    agent: str
    id: str
    roles: frozenset[str] = frozenset()
    attributes: Mapping[str, JsonValue] = field(default_factory=dict)
    user: str | None = None
    session: str = ""
    lineage: str = ""
    task: str | None = None
    labels: frozenset[Label] = frozenset()
    transport: Transport = Transport.INTERNAL
    source_ip: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ElicitationAnswer:
    """A client's answer to a question of ours: the one-shot nonce it came with, and the choice.

    `approve` is None when the client showed nobody anything (cancelled, declined, timed out).
    """

    nonce: str
    approve: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as a room hands it to `Gate.pass_`, strictly parsed and nothing more.

    A room that acts for an already identified caller (a redirect, a sandboxed program) sets
    `principal` and `parent`; the server never does. `resumes` is the approval whose record is being
    run: its arguments were redacted when it was proposed. `tell` is set where the caller asked for progress.
    """

    kind: Kind
    name: str
    arguments: JsonObject
    arrival: Arrival
    answer: ElicitationAnswer | None = None
    principal: Principal | None = None
    parent: str | None = None
    resumes: str | None = None
    tell: Tell | None = field(default=None, compare=False, repr=False)
