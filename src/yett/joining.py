# SPDX-License-Identifier: Apache-2.0
"""`yett.yaml` onto each room's own settings: one small function a room.

Rooms know nothing of the file and the file knows nothing of rooms; this is the seam. Called by
`app.py`, `gateway.py` and commands that need one room alone.
"""

from __future__ import annotations

import hashlib
import ipaddress
import stat
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from yett.action import JsonObject, Secret, ToolDefinition
from yett.audit.settings import AuditSettings
from yett.config.load import Configuration
from yett.config.secrets import SecretStore
from yett.config.settings import Settings, Shell, Workspace
from yett.egress.settings import EgressCredential, EgressRule, EgressSettings
from yett.errors import ConfigurationError
from yett.identity.settings import AgentSettings, IdentitySettings, PersonSettings
from yett.policy.compiled import CompiledPolicy
from yett.policy.compiler import compile_policy
from yett.policy.source import AgentSpec, PolicySource
from yett.privacy.settings import (
    INBOUND,
    OUTBOUND,
    DestinationSettings,
    PrivacySettings,
    parse_actions,
)
from yett.sandbox.settings import PROTECTED, HostWorkspace, SandboxSettings
from yett.server.settings import HttpSettings, StdioSettings
from yett.tools.settings import ShellLimits
from yett.tools.sql_query import DatabaseSettings, SqlLimits, SqlQuery
from yett.upstreams.settings import UpstreamSpec

if TYPE_CHECKING:
    from yett.privacy.redactor import Redactor

OWN_RULE = "gate-own-tools"
"""The rule that opens the gate's own tools to every agent of the file; a deny rule still wins."""


def compile_rules(configuration: Configuration, tools: tuple[ToolDefinition, ...] | None) -> CompiledPolicy:
    """The file's rules, with the line in every error.

    Raises:
        ConfigurationError: a rule can't be understood or names what does not exist.
    """
    settings, raw = configuration.settings, configuration.document.value
    own: JsonObject = {"id": OWN_RULE, "allow": "approval_status", "to": "*"}
    groups = {group for person in settings.people.values() for group in person.groups}
    source = PolicySource(
        roles={name: role.inherits for name, role in settings.roles.items()},
        agents={
            name: AgentSpec(roles=agent.roles, attributes=MappingProxyType(_attributes(agent.attributes)))
            for name, agent in settings.agents.items()
        },
        rules=(*_objects(raw.get("rules")), own),
        tests=_objects(raw.get("tests")),
        approvers=frozenset(groups | set(settings.people)),
        tools=tools,
        people={name: frozenset(person.groups) for name, person in settings.people.items()},
        upstreams=frozenset(settings.upstreams),
        expires=settings.approvals.expires,
    )
    try:
        return compile_policy(source)
    except ConfigurationError as error:
        placed = configuration.document.place(error.path, str(error))
        raise ConfigurationError(placed, path=error.path, advice=error.advice()) from error


def _objects(value: object) -> tuple[JsonObject, ...]:
    return tuple(item for item in value if isinstance(item, dict)) if isinstance(value, list) else ()


def _attributes(given: dict[str, str | int | float | bool | list[str]]) -> JsonObject:
    return {key: list(value) if isinstance(value, list) else value for key, value in given.items()}


def identity_settings(settings: Settings) -> IdentitySettings:
    """Who may call."""
    return IdentitySettings(
        trust_domain=settings.trust_domain,
        agents={
            name: AgentSettings(
                roles=frozenset(agent.roles), attributes=_attributes(agent.attributes), user=agent.user
            )
            for name, agent in settings.agents.items()
        },
    )


def people_settings(settings: Settings) -> dict[str, PersonSettings]:
    """Who may approve."""
    return {name: PersonSettings(groups=frozenset(p.groups)) for name, p in settings.people.items()}


def audit_settings(settings: Settings) -> AuditSettings:
    """The log."""
    return AuditSettings(segment_bytes=settings.audit.segment, checkpoint_interval=settings.audit.checkpoint)


_AUTHORITY = "/tmp/yett-egress.pem"  # noqa: S108  (the container's own tmpfs)
_TRUST = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS")
"""What programs and libraries read the authorities they trust from."""


def with_authority(settings: SandboxSettings, authority: bytes) -> SandboxSettings:
    """The containers, with programs that trust a certificate authority (PEM) and no other."""
    return replace(
        settings,
        files={**settings.files, _AUTHORITY: authority},
        environment={**settings.environment, **dict.fromkeys(_TRUST, _AUTHORITY)},
    )


def sandbox_settings(shell: Shell) -> SandboxSettings:
    """The containers."""
    return SandboxSettings(
        image=shell.image if ":" in shell.image.rpartition("/")[2] else f"{shell.image}:latest",
        driver=shell.driver,
        engine=shell.engine,
        transport=shell.transport,
        runtime=shell.runtime,
        lifetime=shell.lifetime,
        warm=shell.warm,
        containers=shell.containers,
        per_agent=shell.per_agent,
        timeout=shell.timeout,
        memory=shell.memory,
        cpus=shell.cpus,
        pids=shell.pids,
        work_size=shell.work,
        output_limit=shell.output,
        workspace=_host_workspace(shell.workspace) if shell.workspace else None,
    )


def _host_workspace(written: Workspace) -> HostWorkspace:
    """A folder of the host, as it is now.

    Raises:
        ConfigurationError: there is no such folder, or it belongs to root and programs would write to it.
    """
    folder = written.path.expanduser().resolve()
    try:
        found = folder.stat()
    except OSError as error:
        raise ConfigurationError(
            f"the workspace {folder} can't be used: {error.strerror}", path=("tools", "shell", "workspace")
        ) from error
    if not stat.S_ISDIR(found.st_mode):
        raise ConfigurationError(f"the workspace {folder} is no folder", path=("tools", "shell", "workspace"))
    return HostWorkspace(
        path=str(folder),
        writable=written.mode == "read-write",
        uid=found.st_uid,
        gid=found.st_gid,
        quota=written.quota,
        protect=PROTECTED if written.protect is None else written.protect,
    )


def shell_limits(shell: Shell) -> ShellLimits:
    """The shell tools. Where each call has its own container nothing runs in the background."""
    background = ShellLimits().background_timeout if shell.lifetime == "session" else None
    return ShellLimits(
        timeout=shell.timeout, background_timeout=background, output=shell.output, shown=shell.shown
    )


def egress_settings(settings: Settings, secrets: SecretStore) -> EgressSettings:
    """The way out."""
    return EgressSettings(
        allow=tuple(
            EgressRule(
                host=rule.host,
                ports=frozenset(rule.ports),
                methods=frozenset(rule.methods),
                paths=rule.paths,
                to=_with_heirs(frozenset(rule.to), settings),
                private=rule.private,
            )
            for rule in settings.egress.allow
        ),
        tls_min=settings.egress.tls.min,
        credentials={
            host: EgressCredential(header=c.header, value=secrets.expand(c.value))
            for host, c in settings.egress.credentials.items()
        },
    )


def _with_heirs(names: frozenset[str], settings: Settings) -> frozenset[str]:
    """The names, and every role that inherits one of them: egress compares roles that are given directly."""
    while True:
        heirs = {name for name, role in settings.roles.items() if names & set(role.inherits)}
        if heirs <= names:
            return names
        names |= heirs


def sql_tool(settings: Settings, folder: Path) -> SqlQuery | None:
    """The databases; relative ones are beside the configuration."""
    sql = settings.tools.sql
    if sql is None:
        return None
    databases = {
        name: DatabaseSettings(url=_sqlite_url(database.url, folder), mode=database.mode)
        for name, database in sql.databases.items()
    }
    return SqlQuery(databases, SqlLimits(timeout=sql.timeout, rows_max=sql.max_rows))


def _sqlite_url(url: str, folder: Path) -> str:
    path = url.removeprefix("sqlite:///")
    return url if path == url or path.startswith("/") else f"sqlite:///{folder / path}"


def upstream_specs(settings: Settings, secrets: SecretStore) -> tuple[UpstreamSpec, ...]:
    """The other servers."""
    return tuple(
        UpstreamSpec(
            name=name,
            command=upstream.command,
            url=upstream.url or "",
            env={key: secrets.expand(value) for key, value in upstream.env.items()},
            cwd=str(upstream.cwd or "/"),
            credentials=secrets.expand(upstream.credentials) if upstream.credentials else None,
            result=upstream.result,
            timeout=upstream.timeout,
        )
        for name, upstream in settings.upstreams.items()
    )


def redactor(settings: Settings, key: bytes) -> Redactor:
    """Privacy in both directions.

    Raises:
        ConfigurationError: an entity that no detector finds, a detector that is not installed.
    """
    from yett.privacy.redactor import Redactor  # noqa: PLC0415 - patterns that only a serving gateway needs

    privacy = settings.privacy
    return Redactor(
        PrivacySettings(
            outbound={
                **OUTBOUND,
                **parse_actions(privacy.default.outbound, ("privacy", "default", "outbound")),
            },
            inbound={**INBOUND, **parse_actions(privacy.default.inbound, ("privacy", "default", "inbound"))},
            destinations={
                name: DestinationSettings(
                    outbound=parse_actions(d.outbound, ("privacy", "destinations", name, "outbound")),
                    inbound=parse_actions(d.inbound, ("privacy", "destinations", name, "inbound")),
                )
                for name, d in privacy.destinations.items()
            },
            detectors=privacy.detectors,
            key=Secret(hashlib.sha256(key).hexdigest()),
        )
    )


def host_and_port(address: str) -> tuple[str, int]:
    """`listen.http` in its parts.

    Raises:
        ConfigurationError: it is not `host:port`, or the host is not loopback (there is no TLS here).
    """
    host, separator, port = address.rpartition(":")
    host = host.strip("[]")
    if not separator or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigurationError(f"`listen.http` is {address!r}; it looks like 127.0.0.1:8787")
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(
            f"`listen.http` is {address!r}: credentials would cross the network unencrypted",
            advice="listen on 127.0.0.1, put a TLS proxy in front, and name its host in `listen.hosts`",
        )
    return host, int(port)


def http_settings(settings: Settings) -> HttpSettings:
    """The HTTP edge."""
    return HttpSettings(
        hosts=(*HttpSettings().hosts, *settings.listen.hosts),
        max_body=settings.listen.max_body,
        max_depth=settings.listen.max_depth,
    )


def stdio_settings(settings: Settings) -> StdioSettings:
    """The stdio edge."""
    return StdioSettings(max_line=settings.listen.max_body, max_depth=settings.listen.max_depth)
