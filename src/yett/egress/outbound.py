# SPDX-License-Identifier: Apache-2.0
"""The one path out: checks a request, pins the address that was checked, and sends it.

Order: parse the URL once, ask the allow list, resolve, check every address, connect to exactly one of
them with TLS against the name, add the credential, read within limits. It never follows a redirect,
never reads proxies from the environment, and never asks a resolver for a name that is not allowed.
Called through the `Outbound` port by the HTTP tool.
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field

import anyio
import httpx2

from yett.action import Principal
from yett.egress.address import Address, Resolve, checked_addresses, resolve_with_system
from yett.egress.allow import AllowList, Entry
from yett.egress.body import read_body
from yett.egress.headers import Masking, incoming, outgoing, same_name
from yett.egress.settings import METHODS, EgressCredential, EgressSettings, TlsVersion
from yett.errors import ConfigurationError, EgressRefused, ExecutionError, ExecutionTimeout
from yett.ports import HttpRequest, HttpResponse
from yett.url import DEFAULT_PORTS, Url, parse_authority, parse_url

_VERSIONS: dict[TlsVersion, ssl.TLSVersion] = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """What goes on the wire. The headers may hold a credential: never print this."""

    url: Url
    method: str
    headers: list[tuple[str, str]] = field(repr=False)
    body: bytes
    limit: int


class Egress:
    """The `Outbound` port over HTTP/1.1.

    Args:
        settings: The allow list, credentials and limits.
        resolve: How names become addresses; the system's resolver if not given.

    Raises:
        ConfigurationError: a rule, a credential's host or the CA file can't be used.
    """

    def __init__(self, settings: EgressSettings, *, resolve: Resolve = resolve_with_system) -> None:
        self._settings = settings
        self._limits = settings.limits
        self._allow = AllowList(settings.allow)
        self._resolve = resolve
        self._credentials = {
            _credential_key(host): _checked_credential(host, credential)
            for host, credential in settings.credentials.items()
        }
        self._tls = {version: _tls_context(version, settings.ca_file) for version in _VERSIONS}

    async def send(self, request: HttpRequest, principal: Principal) -> HttpResponse:
        """As `Outbound.send`. The whole of it, resolution included, ends within the timeout."""
        url = parse_url(request.url, limit=self._limits.url_bytes)
        method = request.method.upper()
        if method not in METHODS:
            raise EgressRefused(f"The method {request.method[:20]!r} can't be sent.")
        if len(request.body) > self._limits.request_bytes:
            raise EgressRefused(f"The request body is larger than {self._limits.request_bytes} bytes.")
        entry = self._allow.match(url, method, principal)
        headers = outgoing(request.headers, self._limits)
        credential = self._credential_for(url)
        if credential:
            headers = [(n, v) for n, v in headers if same_name(n) != same_name(credential.header)]
            headers.append((credential.header, credential.value.reveal()))
        try:
            with anyio.fail_after(min(request.timeout, self._limits.timeout)):
                addresses = await self._addresses(url, entry)
                message = _Message(
                    url=url, method=method, headers=headers, body=request.body, limit=request.limit
                )
                tls = self._tls[entry.rule.tls_min or self._settings.tls_min]
                masking = Masking(credential.value.reveal() if credential else None)
                return await self._exchange(message, addresses, tls, masking)
        except TimeoutError as error:
            raise ExecutionTimeout(f"{url.host} did not answer in time.") from error

    async def _addresses(self, url: Url, entry: Entry) -> tuple[Address, ...]:
        if url.address is not None:
            answers: tuple[str, ...] = (str(url.address),)
        else:
            with anyio.fail_after(self._limits.resolve_timeout):
                answers = await self._resolve(url.host, url.port)
        return checked_addresses(url.host, answers, private=entry.private)[: self._limits.addresses]

    def _credential_for(self, url: Url) -> EgressCredential | None:
        """The host's credential, if this connection may carry it."""
        loopback = url.address is not None and url.address.is_loopback
        if url.scheme != "https" and not (loopback or url.host == "localhost"):
            return None
        return self._credentials.get((url.host, url.port))

    async def _exchange(
        self, message: _Message, addresses: tuple[Address, ...], tls: ssl.SSLContext, masking: Masking
    ) -> HttpResponse:
        """Try the checked addresses in order until one takes the connection."""
        reason = "it has no address"
        for address in addresses:
            try:
                return await self._exchange_with(message, address, tls, masking)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                reason = _connect_reason(error)
            except (httpx2.HTTPError, httpx2.StreamError) as error:
                raise ExecutionError(
                    f"The connection to {message.url.host} broke: {type(error).__name__}."
                ) from error
        raise ExecutionError(f"No connection to {message.url.host}: {reason}.")

    async def _exchange_with(
        self, message: _Message, address: Address, tls: ssl.SSLContext, masking: Masking
    ) -> HttpResponse:
        """One request over one fresh connection to one address.

        Connections are not kept: one made for a name must not serve another name on the same address.
        """
        url = message.url
        literal = f"[{address}]" if address.version == 6 else str(address)
        request = httpx2.Request(
            message.method,
            f"{url.scheme}://{literal}:{url.port}/",
            headers=[("Host", url.authority), *_with_defaults(message.headers)],
            content=message.body,
            extensions={
                "sni_hostname": url.host,
                "target": url.target.encode("ascii"),
                "timeout": {"connect": self._limits.connect_timeout},
            },
        )
        limit = min(message.limit, self._limits.response_bytes)
        async with httpx2.AsyncHTTPTransport(
            verify=tls, trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0)
        ) as transport:
            response = await transport.handle_async_request(request)
            try:
                headers = incoming(response.headers.raw, self._limits)
                coding = response.headers.get("content-encoding", "")
                body, truncated = await read_body(response.aiter_raw(), coding, limit)
            finally:
                with anyio.CancelScope(shield=True), anyio.move_on_after(self._limits.connect_timeout):
                    await response.aclose()
        return HttpResponse(
            status=response.status_code,
            headers=tuple((masking.text(name), masking.text(value)) for name, value in headers),
            body=masking.body(body, truncated=truncated),
            url=url.text,
            truncated=truncated,
        )


def _with_defaults(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    given = {name.lower() for name, _ in headers}
    defaults = (("Accept", "*/*"), ("User-Agent", "yett"))
    return [
        *((name, value) for name, value in defaults if name.lower() not in given),
        *headers,
        ("Accept-Encoding", "gzip"),
        ("Connection", "close"),
    ]


def _connect_reason(error: BaseException) -> str:
    """Why there is no connection, in words that name no address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not valid for this name ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError):
            return f"the TLS handshake failed ({cause.reason})"
        cause = cause.__cause__ or cause.__context__
    return "it took too long" if isinstance(error, httpx2.ConnectTimeout) else "it was not accepted"


def _credential_key(host: str) -> tuple[str, int]:
    try:
        name, _, port = parse_authority(host)
    except EgressRefused as error:
        raise ConfigurationError(f"{host!r} is no host", path=("egress", "credentials", host)) from error
    return name, port or DEFAULT_PORTS["https"]


def _checked_credential(host: str, credential: EgressCredential) -> EgressCredential:
    """The credential, if it can stand in a header."""
    value = credential.value.reveal()
    if not re.fullmatch(r"[A-Za-z0-9-]+", credential.header) or not re.fullmatch(
        r"[\x21-\x7e][\x20-\x7e]*", value
    ):
        raise ConfigurationError(
            "the credential can't stand in a header", path=("egress", "credentials", host)
        )
    return credential


def _tls_context(version: TlsVersion, ca_file: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError("the CA file can't be read", path=("egress", "tls", "ca_file")) from error
    context.minimum_version = _VERSIONS[version]
    return context
