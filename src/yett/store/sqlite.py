# SPDX-License-Identifier: Apache-2.0
"""Durable state in one SQLite file: named collections of JSON documents.

What is acknowledged is on stable storage (WAL, `synchronous=FULL`), `swap` is one IMMEDIATE
transaction, and the event loop never waits for the disk: calls run one at a time in a worker
thread. This module must never interpret a document, and never repair a damaged file by itself.
`app.py` opens it and hands it to the rooms that ask for the `Store` port.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self, TypeVar

import anyio
import anyio.to_thread

from yett.action import JsonObject, canonical_json
from yett.errors import BadRequest, EnvironmentFault
from yett.store.settings import StoreSettings

SCHEMA_VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS schema_version (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    version INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (collection, key)
) STRICT, WITHOUT ROWID;
"""

_UPSERT: Final = (
    "INSERT INTO documents (collection, key, value) VALUES (?, ?, ?)"
    " ON CONFLICT (collection, key) DO UPDATE SET value = excluded.value"
)

_T = TypeVar("_T")


class SqliteStore:
    """The `Store` port on one SQLite file of mode 0600.

    Args:
        path: the file; its directory must exist. It is created when it does not exist.
        settings: limits.

    Use it as an async context manager, or call `open` and `close`.
    """

    def __init__(self, path: Path, settings: StoreSettings | None = None) -> None:
        self._path = path
        self._settings = settings or StoreSettings()
        self._connection: sqlite3.Connection | None = None
        self._turn = anyio.CapacityLimiter(1)
        # A call that ran out of time leaves its thread behind, still inside SQLite; the next call
        # must not enter the connection's transaction meanwhile.
        self._inside = threading.Lock()

    async def open(self) -> None:
        """Open the file, check its integrity and bring its schema up.

        Raises:
            EnvironmentFault: it can't be opened, is damaged, is not ours or is of a newer version.
        """
        await self._in_thread(self._open)

    async def close(self) -> None:
        """Close the file. Calls after this raise `EnvironmentFault`."""
        with anyio.CancelScope(shield=True):
            await self._in_thread(self._close)

    async def __aenter__(self) -> Self:
        """As `open`."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """As `close`."""
        await self.close()

    async def get(self, collection: str, key: str) -> JsonObject | None:
        """The document, or None."""
        _check_key(collection, key)
        return await self._in_thread(lambda: self._get(collection, key))

    async def put(self, collection: str, key: str, value: JsonObject) -> None:
        """Write the document, whatever was there. It is durable when this returns.

        Raises:
            BadRequest: the document is over the limit or is not JSON.
        """
        _check_key(collection, key)
        text = self._encode(value)
        await self._in_thread(lambda: self._put(collection, key, text))

    async def swap(
        self, collection: str, key: str, expected: JsonObject | None, value: JsonObject | None
    ) -> bool:
        """Write `value` (None deletes) if and only if the document equals `expected`. Atomic.

        Equality is equality of the canonical form, so `1` and `1.0` differ. Same errors as `put`.
        """
        _check_key(collection, key)
        before = None if expected is None else self._encode(expected)
        after = None if value is None else self._encode(value)
        return await self._in_thread(lambda: self._swap(collection, key, before, after))

    async def scan(self, collection: str) -> tuple[tuple[str, JsonObject], ...]:
        """Every document of a collection, by key."""
        return await self._in_thread(lambda: self._scan(collection))

    def _encode(self, value: JsonObject) -> str:
        try:
            form = canonical_json(value)
        except ValueError as problem:
            raise BadRequest("This can't be stored: it is not valid JSON text.") from problem
        if len(form) > self._settings.document_limit:
            raise BadRequest(f"This can't be stored: it is over {self._settings.document_limit} bytes.")
        return form.decode()

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        try:
            with anyio.fail_after(self._settings.deadline):
                return await anyio.to_thread.run_sync(
                    self._one_at_a_time, work, abandon_on_cancel=True, limiter=self._turn
                )
        except TimeoutError as problem:
            raise EnvironmentFault(
                f"the state file {self._path} did not answer within {self._settings.deadline} s",
                advice="Check the disk that holds the state directory.",
            ) from problem

    def _one_at_a_time(self, work: Callable[[], _T]) -> _T:
        if not self._inside.acquire(timeout=self._settings.deadline):
            raise EnvironmentFault(f"an earlier call on the state file {self._path} still hangs")
        try:
            return work()
        except (sqlite3.Error, OSError) as problem:
            raise EnvironmentFault(
                f"the state file {self._path} can't be used: {problem}",
                advice="Check free space, permissions and the disk; restore a damaged file from a backup.",
            ) from problem
        finally:
            self._inside.release()

    @property
    def _live(self) -> sqlite3.Connection:
        if self._connection is None:
            raise EnvironmentFault(f"the state file {self._path} is not open")
        return self._connection

    def _open(self) -> None:
        if self._connection is not None:
            raise EnvironmentFault(f"the state file {self._path} is open already")
        _make_private(self._path)
        connection = sqlite3.connect(
            self._path,
            timeout=self._settings.busy_timeout,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            _prepare(connection, self._path)
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, collection: str, key: str) -> str | None:
        row = self._live.execute(
            "SELECT value FROM documents WHERE collection = ? AND key = ?", (collection, key)
        ).fetchone()
        return None if row is None else str(row[0])

    def _get(self, collection: str, key: str) -> JsonObject | None:
        text = self._read(collection, key)
        return None if text is None else _decode(text)

    def _put(self, collection: str, key: str, text: str) -> None:
        self._live.execute(_UPSERT, (collection, key, text))

    def _swap(self, collection: str, key: str, before: str | None, after: str | None) -> bool:
        with _transaction(self._live):
            if self._read(collection, key) != before:
                return False
            if after is not None:
                self._live.execute(_UPSERT, (collection, key, after))
            else:
                self._live.execute(
                    "DELETE FROM documents WHERE collection = ? AND key = ?", (collection, key)
                )
            return True

    def _scan(self, collection: str) -> tuple[tuple[str, JsonObject], ...]:
        rows = self._live.execute(
            "SELECT key, value FROM documents WHERE collection = ? ORDER BY key", (collection,)
        )
        return tuple((str(key), _decode(str(text))) for key, text in rows)


def _check_key(collection: str, key: str) -> None:
    try:
        f"{collection}{key}".encode()
    except UnicodeEncodeError as problem:
        raise BadRequest("This is no name of anything stored: it is not Unicode text.") from problem


def _make_private(path: Path) -> None:
    """Create the file 0600 if need be, and refuse one that is a link or someone else's."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            raise EnvironmentFault(
                f"the state file {path} is not a regular file of this user",
                advice="Point `state` at a directory that belongs to the user who runs the gateway.",
            )
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise EnvironmentFault(
            f"the state file {path} can't use a write-ahead log (journal mode is {mode})",
            advice="Keep the state directory on a local disk, not on a network share.",
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA secure_delete = ON")
    finding = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if finding != "ok":
        raise EnvironmentFault(
            f"the state file {path} is damaged: {finding}", advice="Restore it from a backup."
        )
    with _transaction(connection):
        for statement in filter(str.strip, _SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute("INSERT OR IGNORE INTO schema_version VALUES (1, ?)", (SCHEMA_VERSION,))
        version = connection.execute("SELECT version FROM schema_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            raise EnvironmentFault(
                f"the state file {path} has schema version {version}; this yett knows {SCHEMA_VERSION}",
                advice="Run the version of yett that wrote it.",
            )


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _decode(text: str) -> JsonObject:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise EnvironmentFault("a document of the state file is not a JSON object")
    return value
