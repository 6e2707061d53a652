# SPDX-License-Identifier: Apache-2.0
"""The shape of `yett.yaml`: one typed, frozen `Settings`; every key with a safe default.

Unknown keys are errors. Keys of the design that this version does not enforce are errors too
(`later.py`), because nothing configured may be silently off. docs/configuration.md has a line for
each key, and a test compares the two. Rules are kept as they are written: the policy room reads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from yett.units import bytes_of, seconds_of


def _duration(written: object) -> float:
    seconds = seconds_of(written)
    if seconds is None:
        raise ValueError("a duration looks like 250ms, 30s, 10m, 8h or 90d")
    return seconds


def _size(written: object) -> int:
    size = bytes_of(written)
    if size is None:
        raise ValueError("a size looks like 64KiB, 512MiB or 1GB")
    return size


Duration = Annotated[float, BeforeValidator(_duration)]
Size = Annotated[int, BeforeValidator(_size)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$")]
Words = Annotated[tuple[str, ...], BeforeValidator(lambda v: (v,) if isinstance(v, str) else v)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Listen(_Section):
    """`listen`: where HTTP clients connect. stdio needs nothing."""

    http: str | None = "127.0.0.1:8787"
    hosts: tuple[str, ...] = ()
    max_body: Size = 4 << 20
    max_depth: int = Field(default=64, ge=4, le=512)


class Agent(_Section):
    """`agents.<name>`: roles, attributes, and the person it acts for. Credentials are issued, not written."""

    roles: tuple[str, ...] = ()
    user: str | None = None
    attributes: dict[str, str | int | float | bool | list[str]] = {}


class Person(_Section):
    """`people.<name>`: groups, and how the person proves who they are."""

    groups: tuple[str, ...] = ()
    login: Literal["token"] = "token"


class Role(_Section):
    """`roles.<name>`."""

    inherits: tuple[str, ...] = ()


class Workspace(_Section):
    """`tools.shell.workspace`: a folder of this host at /workspace; a path alone is a read-only one.

    `quota` is what it may hold, `protect` names what stays read-only in a writable one (None: the defaults).
    """

    path: Path
    mode: Literal["read-only", "read-write"] = "read-only"
    quota: Size = 1 << 30
    protect: tuple[str, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str | Path) else value


class Shell(_Section):
    """`tools.shell`: the sandbox that shell and file tools run in."""

    image: str = "yett/tiny"
    driver: Literal["docker", "runc"] = "docker"
    engine: str = "unix:///var/run/docker.sock"
    transport: Literal["auto", "socket", "attach"] = "auto"
    timeout: Duration = 60.0
    memory: Size = 512 << 20
    cpus: float = Field(default=1.0, gt=0, le=64)
    pids: int = Field(default=128, ge=8, le=4096)
    work: Size = 256 << 20
    lifetime: Literal["session", "call"] = "session"
    warm: int = Field(default=2, ge=0, le=256)
    containers: int = Field(default=32, ge=1, le=4096)
    per_agent: int = Field(default=8, ge=1, le=4096)
    runtime: str = "runc"
    network: Literal["none", "egress"] = "none"
    output: Size = 1 << 20
    shown: Annotated[Size, Field(ge=1 << 10, le=256 << 10)] = 32 << 10
    workspace: Workspace | None = None


class Database(_Section):
    """`tools.sql.databases.<name>`."""

    url: str
    mode: Literal["read-only"] = "read-only"


class Sql(_Section):
    """`tools.sql`."""

    databases: dict[Name, Database] = {}
    timeout: Duration = 10.0
    max_rows: int = Field(default=1000, ge=1, le=100_000)


class Http(_Section):
    """`tools.http`: the http_request tool. Where it may go is said in `egress`."""

    timeout: Duration = 30.0
    max_response: Size = 1 << 20
    max_redirects: int = Field(default=5, ge=0, le=20)


class Tools(_Section):
    """`tools`: what the gate itself serves. A tool whose section is absent is not served."""

    shell: Shell | None = None
    sql: Sql | None = None
    http: Http | None = None

    @model_validator(mode="after")
    def _a_way_out(self) -> Tools:
        if self.shell is not None and self.shell.network == "egress" and self.http is None:
            raise ValueError(
                "`shell.network: egress` needs `http`: a program's requests are decided as http_request"
            )
        return self


class EgressRule(_Section):
    """One entry of `egress.allow`. `private: true` names a host whose address is not public."""

    host: str
    to: Words = ()
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    private: bool = False

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"host": value} if isinstance(value, str) else value


class Credential(_Section):
    """`egress.credentials.<host>`: a header that is put in at the edge."""

    header: str = "Authorization"
    value: str


class Tls(_Section):
    """`egress.tls`."""

    # 1.3 without quotes is a number in YAML.
    min: Annotated[Literal["1.2", "1.3"], BeforeValidator(str)] = "1.3"


class Egress(_Section):
    """`egress`: the outer wall; the rules for http_request decide inside it."""

    allow: tuple[EgressRule, ...] = ()
    tls: Tls = Tls()
    credentials: dict[str, Credential] = {}


class Upstream(_Section):
    """`upstreams.<name>`: another MCP server, by `command` or by `url`."""

    command: tuple[str, ...] = ()
    url: str | None = None
    sandbox: bool = True
    env: dict[str, str] = {}
    cwd: Path | None = None
    credentials: str | None = None
    result: Literal["untrusted", "trusted"] = "untrusted"
    timeout: Duration = 60.0

    @model_validator(mode="after")
    def _one_way(self) -> Upstream:
        if bool(self.command) == bool(self.url):
            raise ValueError("say either `command` or `url`")
        if self.command and self.sandbox:
            raise ValueError(
                "this version can't run an upstream's command in a sandbox; `sandbox: false` runs it on"
                " this host with the gate's own rights"
            )
        return self


PrivacyAction = Literal["allow", "mask", "block"]


class Destination(_Section):
    """`privacy.default` and `privacy.destinations.<name>`: what happens to each entity, by direction."""

    outbound: dict[str, PrivacyAction] = {}
    inbound: dict[str, PrivacyAction] = {}


class Privacy(_Section):
    """`privacy`."""

    default: Destination = Destination()
    destinations: dict[str, Destination] = {}
    detectors: tuple[Literal["patterns", "presidio"], ...] = ("patterns",)


class Approvals(_Section):
    """`approvals`: how long a question stands, and how long a call is held for its answer."""

    expires: Duration = 600.0
    hold: Duration | Literal["auto"] = "auto"
    max_pending: int = Field(default=20, ge=1, le=1000)


class AuditLog(_Section):
    """`audit`."""

    durability: Literal["strict"] = "strict"
    checkpoint: Duration = 1.0
    segment: Size = 64 << 20


class Sessions(_Section):
    """`sessions`."""

    idle: Duration = 1800.0


class Settings(_Section):
    """The whole file."""

    version: Literal[1]
    trust_domain: Name = "local"
    state: Path | None = None
    listen: Listen = Listen()
    agents: dict[Name, Agent] = {}
    people: dict[Name, Person] = {}
    roles: dict[Name, Role] = {}
    rules: tuple[dict[str, object], ...] = ()
    tests: tuple[dict[str, object], ...] = ()
    tools: Tools = Tools()
    egress: Egress = Egress()
    upstreams: dict[Name, Upstream] = {}
    privacy: Privacy = Privacy()
    approvals: Approvals = Approvals()
    audit: AuditLog = AuditLog()
    sessions: Sessions = Sessions()
