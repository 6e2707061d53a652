# SPDX-License-Identifier: Apache-2.0
"""Signed checkpoints: how long the log was and what its last hash was, as a signed note.

The text is a C2SP signed note (https://c2sp.org/signed-note, Ed25519, key type 0x01) whose body has
the three lines of a C2SP checkpoint: origin, number of records, hash in base64. The hash is the head
of our chain and not the root of a Merkle tree. A note has exactly one valid byte form here; anything
else is refused. Pure but for `SigningKey.load_or_make`. The log writes checkpoints, `verify` reads them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from yett.audit.files import sync_folder, write_atomically

KEY_FILE = "key"
PUBLIC_KEY_FILE = "key.pub"
CHECKPOINT_FILE = "checkpoint"

_ALGORITHM = b"\x01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The log had `size` records and the last one's hash was `head` (64 hexadecimal digits)."""

    origin: str
    size: int
    head: str

    def body(self) -> str:
        """The signed text."""
        root = base64.b64encode(bytes.fromhex(self.head)).decode()
        return f"{self.origin}\n{self.size}\n{root}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """Who signs: a name and an Ed25519 key, written `<name>+<key id>+<base64>` as C2SP does."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256(name, newline, algorithm, key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ALGORITHM + self.raw).digest()[:4]

    def text(self) -> str:
        """The key as its file holds it."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ALGORITHM + self.raw).decode()}\n"

    @staticmethod
    def parse(text: str) -> PublicKey:
        """Read what `text` wrote.

        Raises:
            ValueError: anything else.
        """
        name, _, rest = text.partition("+")
        _, _, encoded = rest.partition("+")
        try:
            blob = base64.b64decode(encoded.strip(), validate=True)
        except binascii.Error as error:
            raise ValueError("the public key is not base64") from error
        key = PublicKey(name=name, raw=blob[1:])
        if len(blob) != 33 or key.text() != text:
            raise ValueError("the public key is damaged")
        return key

    def open(self, note: str) -> Checkpoint:
        """The checkpoint in a signed note.

        Raises:
            ValueError: it is not in the one valid form, or this key did not sign it.
        """
        lines = note.split("\n")
        if len(lines) != 6 or lines[3] or lines[5]:
            raise ValueError("the checkpoint has the wrong number of lines")
        try:
            size, head = int(lines[1]), base64.b64decode(lines[2], validate=True)
            signed = base64.b64decode(lines[4].rpartition(" ")[2], validate=True)
        except ValueError as error:
            raise ValueError("the checkpoint is damaged") from error
        checkpoint = Checkpoint(origin=lines[0], size=size, head=head.hex())
        if len(head) != 32 or _note(checkpoint, self, signed[4:]) != note:
            raise ValueError("the checkpoint is damaged or signed by another key")
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signed[4:], checkpoint.body().encode())
        except InvalidSignature as error:
            raise ValueError("the signature of the checkpoint is wrong") from error
        if checkpoint.origin != self.name:
            raise ValueError(f"the checkpoint is of another log, {checkpoint.origin!r}")
        return checkpoint


class SigningKey:
    """The log's private key. It never leaves its file and is never printed."""

    __slots__ = ("_private", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        raw = private.public_key().public_bytes_raw()
        self._private = private
        self.public = PublicKey(name=f"yett/{hashlib.sha256(raw).hexdigest()[:16]}", raw=raw)

    @property
    def origin(self) -> str:
        """The name of the log that this key signs."""
        return self.public.name

    def sign(self, checkpoint: Checkpoint) -> str:
        """The checkpoint as a signed note."""
        return _note(checkpoint, self.public, self._private.sign(checkpoint.body().encode()))

    @staticmethod
    def load_or_make(folder: Path, *, fresh: bool) -> SigningKey:
        """The key in `folder`; a new one only if `fresh` says that there is no log yet.

        Raises:
            OSError: it can't be read or written.
            ValueError: it is missing although there is a log, or damaged.
        """
        path = folder / KEY_FILE
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            if not fresh:
                raise ValueError("the signing key is gone") from None
            key = SigningKey(Ed25519PrivateKey.generate())
            write_atomically(path, key._private.private_bytes_raw())
        else:
            key = SigningKey(Ed25519PrivateKey.from_private_bytes(raw))
            os.chmod(path, 0o600)  # noqa: PTH101 - beside the other os calls of this room
        write_atomically(folder / PUBLIC_KEY_FILE, key.public.text().encode())
        sync_folder(folder)
        return key


def _note(checkpoint: Checkpoint, key: PublicKey, signature: bytes) -> str:
    signed = base64.b64encode(key.id + signature).decode()
    return f"{checkpoint.body()}\n\N{EM DASH} {key.name} {signed}\n"


__all__ = ["CHECKPOINT_FILE", "KEY_FILE", "PUBLIC_KEY_FILE", "Checkpoint", "PublicKey", "SigningKey"]
