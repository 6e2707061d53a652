# SPDX-License-Identifier: Apache-2.0
"""The certificates under which the gate reads what sandboxed programs send over TLS.

One authority a gateway, made when it starts and gone with it; its key never leaves the process. Programs
trust it because its certificate is placed in their container and nowhere else. The only caller is
`program_proxy`; whether the real server is who it says is checked in `outbound`, with the system's roots.
"""

from __future__ import annotations

import datetime as dt
import ssl
import tempfile
from collections import OrderedDict
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

_BACKDATED = dt.timedelta(hours=1)
_LIFE = dt.timedelta(days=30)
_KEPT = 256
"""How many hosts' certificates are kept; the oldest used goes first."""


class Interception:
    """A certificate authority for the programs of this gateway's sandboxes."""

    def __init__(self, now: float) -> None:
        """`now` is the time in seconds since the epoch, from which certificates are valid for 30 days."""
        self._began = dt.datetime.fromtimestamp(now, dt.UTC) - _BACKDATED
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Yett sandbox egress")])
        self._certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(sign_certificates=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()

    @property
    def authority(self) -> bytes:
        """The authority's certificate in PEM, for programs to trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def known(self, host: str) -> ssl.SSLContext | None:
        """What `context` would give, if it need not be made first."""
        found = self._contexts.get(host)
        if found is not None:
            with suppress(KeyError):  # another thread may just have made room
                self._contexts.move_to_end(host)
        return found

    def context(self, host: str) -> ssl.SSLContext:
        """How to answer as `host` (a canonical name or address) to a program: TLS 1.2 or newer.

        It takes milliseconds to make, so that belongs into a worker thread, one at a time.
        """
        found = self.known(host)
        if found is not None:
            return found
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.set_alpn_protocols(["http/1.1"])
        # The ssl module loads keys from files only; this one is private and gone at once.
        with tempfile.TemporaryDirectory(prefix="yett-") as folder:
            pair = Path(folder) / "pair.pem"
            pair.write_bytes(self._leaf(host) + self._leaf_key_pem())
            made.load_cert_chain(pair)
        self._contexts[host] = made
        if len(self._contexts) > _KEPT:
            self._contexts.popitem(last=False)
        return made

    def _leaf(self, host: str) -> bytes:
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host[:64])])
        certificate = (
            self._builder(subject, self._leaf_key.public_key())
            .add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(sign_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _leaf_key_pem(self) -> bytes:
        return self._leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._began)
            .not_valid_after(self._began + _LIFE)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )
