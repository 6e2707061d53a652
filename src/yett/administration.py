# SPDX-License-Identifier: Apache-2.0
"""What an operator may do to a running gateway: the verbs behind `control.sock`.

Every verb that changes something is recorded with who did it. Reached only through the operator's line;
no agent's message leads here. Called by `gateway.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from yett import __version__
from yett.action import ApprovalRecord, ApprovalState, JsonObject, JsonValue, Secret, Vote, canonical_json
from yett.app import App
from yett.applied import InForce, waiting_for_restart, write_applied
from yett.approvals.render import render
from yett.approvals.settings import ApprovalSettings
from yett.config.load import load
from yett.errors import BadRequest
from yett.identity.tokens import CredentialKind
from yett.server.control import Operator, Verb

LISTED_ARGUMENTS = 16_000
"""So many bytes of arguments stand in a list of approvals."""


class Administration:
    """The verbs over an `App`."""

    def __init__(self, app: App, stop: Callable[[], None]) -> None:
        self._app = app
        self._stop = stop

    def verbs(self) -> Mapping[str, Verb]:
        """By the name that the command line sends."""
        return {
            "status": self._status,
            "sandboxes": self._sandboxes,
            "stop": self._stopped,
            "approvals.list": self._approvals,
            "approvals.show": self._approval,
            "approvals.approve": self._approve,
            "approvals.deny": self._deny,
            "agents.add": self._add_agent,
            "agents.list": self._list_agents,
            "agents.revoke": self._revoke_agent,
            "agents.suspend": self._suspend_agent,
            "people.add": self._add_person,
            "people.list": self._list_people,
            "people.revoke": self._revoke_person,
            "sessions.list": self._sessions,
            "sessions.change": self._change_session,
            "policy.apply": self._apply,
        }

    async def _status(self, _: JsonObject, __: Operator) -> JsonValue:
        app = self._app
        return {
            "version": __version__,
            "configuration": str(app.in_force.applied.path),
            "state": str(app.in_force.applied.state),
            "applied": app.in_force.applied.digest,
            "waits_for_apply": app.in_force.candidate is not None,
            "tools": [tool.name for tool in app.toolbox.all()],
            "upstreams": self._upstreams(),
            "sandbox": app.sandboxes is not None,
        }

    async def _sandboxes(self, _: JsonObject, __: Operator) -> JsonValue:
        """The numbers of the pool; nothing where no sandbox is configured."""
        sandboxes = self._app.sandboxes
        return None if sandboxes is None else sandboxes.status()

    def _upstreams(self) -> JsonObject:
        upstreams = self._app.upstreams
        if upstreams is None:
            return {}
        connected, problems = upstreams.connected(), upstreams.problems()
        return {
            name: {"connected": name in connected, "problems": [*problems.get(name, ())]}
            for name in self._app.settings.upstreams
        }

    async def _stopped(self, _: JsonObject, operator: Operator) -> JsonValue:
        await self._app.system("gateway stopped", by=operator.name)
        self._stop()
        return True

    async def _approvals(self, request: JsonObject, _: Operator) -> JsonValue:
        records = await self._app.approvals.all()
        everything = request.get("all") is True
        wanted = (r for r in records if everything or r.state is ApprovalState.PENDING)
        return [{**_row(r), "arguments": _listed(r.arguments)} for r in wanted]

    async def _approval(self, request: JsonObject, _: Operator) -> JsonValue:
        record = await self._found(request)
        return {**_row(record), "rendered": render(record, ApprovalSettings())}

    async def _approve(self, request: JsonObject, operator: Operator) -> JsonValue:
        return await self._vote(request, operator, approve=True)

    async def _deny(self, request: JsonObject, operator: Operator) -> JsonValue:
        return await self._vote(request, operator, approve=False)

    async def _vote(self, request: JsonObject, operator: Operator, *, approve: bool) -> JsonValue:
        record = await self._found(request)
        by, groups = f"operator:{operator.name}", frozenset[str]()
        if person := request.get("person"):
            known = await self._app.people.authenticate(Secret(str(request.get("token", ""))))
            if known is None or known != person:
                raise BadRequest(
                    f"that token is not {person}'s",
                    advice="set YETT_PERSON_TOKEN to the token of that person",
                )
            by, groups = f"person:{known}", self._app.people.groups(known)
        vote = Vote(by=by, approve=approve, at=self._app.clock.now(), reason=str(request.get("reason", "")))
        return _row(await self._app.approvals.vote(record.id, vote, groups))

    async def _found(self, request: JsonObject) -> ApprovalRecord:
        wanted = str(request.get("id", ""))
        found = [r for r in await self._app.approvals.all() if wanted and r.id.startswith(wanted)]
        if len(found) != 1:
            count = "several approvals begin" if found else "there is no approval that begins"
            raise BadRequest(f"{count} with {wanted!r}", advice="yett approvals list --all")
        return found[0]

    async def _add_agent(self, request: JsonObject, operator: Operator) -> JsonValue:
        name = str(request.get("name", ""))
        if name not in self._app.settings.agents:
            raise BadRequest(
                f"the applied configuration names no agent {name!r}",
                advice="name it under `agents:` in yett.yaml, then: yett policy apply",
            )
        return await self._issue(CredentialKind.AGENT, name, operator)

    async def _add_person(self, request: JsonObject, operator: Operator) -> JsonValue:
        name = str(request.get("name", ""))
        if name not in self._app.settings.people:
            raise BadRequest(
                f"the applied configuration names no person {name!r}",
                advice="name them under `people:` in yett.yaml, then: yett policy apply",
            )
        return await self._issue(CredentialKind.PERSON, name, operator)

    async def _issue(self, kind: CredentialKind, name: str, operator: Operator) -> str:
        secret = await self._app.credentials.issue(kind, name)
        await self._app.system("credential issued", kind=kind.value, name=name, by=operator.name)
        return secret.reveal()

    async def _revoke_agent(self, request: JsonObject, operator: Operator) -> JsonValue:
        return await self._revoke(CredentialKind.AGENT, request, operator)

    async def _revoke_person(self, request: JsonObject, operator: Operator) -> JsonValue:
        return await self._revoke(CredentialKind.PERSON, request, operator)

    async def _revoke(self, kind: CredentialKind, request: JsonObject, operator: Operator) -> int:
        name = str(request.get("name", ""))
        count = await self._app.credentials.revoke_all(kind, name)
        await self._app.system(
            "credentials revoked", kind=kind.value, name=name, count=count, by=operator.name
        )
        return count

    async def _suspend_agent(self, request: JsonObject, operator: Operator) -> JsonValue:
        name, suspended = str(request.get("name", "")), request.get("suspended") is True
        if name not in self._app.settings.agents:
            raise BadRequest(f"the applied configuration names no agent {name!r}")
        change = self._app.credentials.suspend if suspended else self._app.credentials.resume
        await change(name)
        await self._app.system(
            "agent suspended" if suspended else "agent resumed", name=name, by=operator.name
        )
        return True

    async def _list_agents(self, _: JsonObject, __: Operator) -> JsonValue:
        return [
            {
                "name": name,
                "roles": list(agent.roles),
                "credentials": self._live(CredentialKind.AGENT, name),
                "suspended": self._app.credentials.is_suspended(name),
            }
            for name, agent in sorted(self._app.settings.agents.items())
        ]

    async def _list_people(self, _: JsonObject, __: Operator) -> JsonValue:
        return [
            {
                "name": name,
                "groups": list(person.groups),
                "tokens": self._live(CredentialKind.PERSON, name),
            }
            for name, person in sorted(self._app.settings.people.items())
        ]

    def _live(self, kind: CredentialKind, name: str) -> JsonValue:
        return [
            f"...{c.tail}"
            for c in self._app.credentials.list()
            if (c.kind, c.name, c.revoked_at) == (kind, name, None)
        ]

    async def _sessions(self, _: JsonObject, __: Operator) -> JsonValue:
        return [
            {
                "id": record.id,
                "agent": record.agent,
                "state": record.state.value,
                "labels": [*sorted(record.labels)],
                "last_seen": record.last_seen,
            }
            for record in self._app.sessions.list()
        ]

    async def _change_session(self, request: JsonObject, operator: Operator) -> JsonValue:
        session, change = str(request.get("id", "")), str(request.get("change"))
        known = {
            "kill": self._app.sessions.kill,
            "freeze": self._app.sessions.freeze,
            "release": self._app.sessions.release,
        }
        if change not in known:
            raise BadRequest(f"a session can't be {change!r}")
        await known[change](session)
        await self._app.system(f"session {change}", session=session, by=operator.name)
        return True

    async def _apply(self, _: JsonObject, operator: Operator) -> JsonValue:
        """Make the file the applied configuration."""
        before = self._app.in_force.applied
        after = load(before.path)
        if after.state != before.state:
            raise BadRequest("`state` moved; stop the gateway and start it on the new folder")
        self._app.enforce(InForce(applied=after))
        write_applied(after)
        restart = waiting_for_restart(before, after)
        await self._app.system(
            "configuration applied", digest=after.digest, before=before.digest, by=operator.name
        )
        if restart:
            # What is read at start stays as it was until then, and the settings in force say so.
            old = before.settings
            kept = after.settings.model_copy(update={name: getattr(old, name) for name in restart})
            self._app.in_force = InForce(applied=replace(after, settings=kept))
        return {"digest": after.digest, "restart": [*restart]}


def _listed(arguments: JsonObject) -> JsonObject:
    """Arguments as a list shows them: an agent's megabytes must not break the list of all questions."""
    size = len(canonical_json(arguments))
    return arguments if size <= LISTED_ARGUMENTS else {"withheld": f"{size} bytes; `approvals show` has them"}


def _row(record: ApprovalRecord) -> JsonObject:
    return {
        "id": record.id,
        "state": record.state.value,
        "agent": record.agent,
        "user": record.user,
        "tool": record.tool,
        "target": record.target,
        "arguments": record.arguments,
        "rule": record.rule,
        "reason": record.reason,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "need": record.terms.need,
        "approvers": [*sorted(record.terms.approvers)],
        "votes": [{"by": v.by, "approve": v.approve, "reason": v.reason} for v in record.votes],
        "note": record.note,
    }
