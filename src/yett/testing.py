# SPDX-License-Identifier: Apache-2.0
"""Public in-memory rooms, for users' tests and ours.

Each one keeps the promises of its port except durability: `MemoryStore` passes the test-suite of
the SQLite store, `MemoryAudit` refuses when it is told to be broken, `MemorySandboxes` is a file system
with scripts for programs. Nothing here may be used by a gateway that serves agents: time stands still,
ids can be guessed and nothing is contained.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping

from yett.action import (
    Action,
    ApprovalRecord,
    AuditRecord,
    ElicitationAnswer,
    JsonObject,
    JsonValue,
    Kind,
    Principal,
    Question,
    ToolDefinition,
    canonical_json,
)
from yett.errors import AuditUnavailable, BadRequest
from yett.memory_sandbox import MemorySandbox, MemorySandboxes, Running


class MemoryStore:
    """The `Store` port in memory. `fail_next` makes the next call raise that error."""

    def __init__(self) -> None:
        self._documents: dict[str, dict[str, bytes]] = {}
        self.fail_next: Exception | None = None

    def _collection(self, name: str, key: str = "") -> dict[str, bytes]:
        try:
            key.encode()
        except UnicodeEncodeError as problem:
            raise BadRequest("This is no name of anything stored: it is not Unicode text.") from problem
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error
        return self._documents.setdefault(name, {})

    async def get(self, collection: str, key: str) -> JsonObject | None:
        """The document, or None."""
        form = self._collection(collection, key).get(key)
        return None if form is None else _parsed(form)

    async def put(self, collection: str, key: str, value: JsonObject) -> None:
        """Write the document, whatever was there."""
        self._collection(collection, key)[key] = canonical_json(value)

    async def swap(
        self, collection: str, key: str, expected: JsonObject | None, value: JsonObject | None
    ) -> bool:
        """Write `value` (None deletes) if and only if the document equals `expected`."""
        documents = self._collection(collection, key)
        if documents.get(key) != (None if expected is None else canonical_json(expected)):
            return False
        if value is None:
            documents.pop(key, None)
        else:
            documents[key] = canonical_json(value)
        return True

    async def scan(self, collection: str) -> tuple[tuple[str, JsonObject], ...]:
        """Every document of a collection, by key."""
        return tuple((key, _parsed(form)) for key, form in sorted(self._collection(collection).items()))


def _parsed(form: bytes) -> JsonObject:
    value = json.loads(form)
    if not isinstance(value, dict):
        raise TypeError("a document is a JSON object")
    return value


class FrozenClock:
    """The `Clock` port, moved by hand. Wall and monotonic time can be moved apart."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._monotonic = 1_000.0

    def now(self) -> float:
        """Unix seconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        if seconds < 0:
            raise ValueError("monotonic time never goes back; use set_wall")
        self._now += seconds
        self._monotonic += seconds

    def set_wall(self, now: float) -> None:
        """Set the wall clock, as an operator or an attacker would. Monotonic time stays."""
        self._now = now


class SeededEntropy:
    """The `Entropy` port with the shapes of the real one and no randomness: same seed, same values."""

    def __init__(self, seed: str = "yett") -> None:
        self._seed = seed
        self._made = 0

    def _next(self) -> bytes:
        self._made += 1
        return hashlib.sha256(f"{self._seed}/{self._made}".encode()).digest()

    def id(self, prefix: str) -> str:
        """`<prefix>-<26 characters>`, sortable by order of making."""
        noise = base64.b32hexencode(self._next()).decode()[:16]
        return f"{prefix}-{self._made:010d}{noise}"

    def token(self) -> str:
        """43 URL-safe characters."""
        return base64.urlsafe_b64encode(self._next()).decode().rstrip("=")


class MemoryAudit:
    """The `Audit` port in memory: `records` in order. While `broken`, it refuses everything."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.broken = False

    async def commit(self, *records: AuditRecord) -> None:
        """Append records.

        Raises:
            AuditUnavailable: while `broken`.
        """
        for record in records:
            self.note(record)

    def note(self, record: AuditRecord) -> None:
        """Append a record. Same error as `commit`."""
        if self.broken:
            raise AuditUnavailable("the audit log was told to be broken")
        self.records.append(record)


class MemoryNotify:
    """The `Notify` port in memory: `pending` holds what people would have been told of."""

    def __init__(self) -> None:
        self.pending: list[ApprovalRecord] = []

    def approval_pending(self, record: ApprovalRecord) -> None:
        """Remember the record."""
        self.pending.append(record)


class ScriptedDialogue:
    """The `Dialogue` port with answers given beforehand; None is a client that gave none.

    `questions` holds what was asked. When the script has run out, the client gives no answer.
    """

    def __init__(self, answers: Iterable[bool | ElicitationAnswer | None] = ()) -> None:
        self._answers = list(answers)
        self.questions: list[Question] = []

    async def ask(self, question: Question) -> ElicitationAnswer | None:
        """The next answer of the script; a plain choice comes with the question's own nonce."""
        self.questions.append(question)
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, bool):
            return ElicitationAnswer(nonce=question.nonce, approve=answer)
        return answer


def make_action(
    name: str = "mail__send",
    arguments: Mapping[str, JsonValue] | None = None,
    *,
    agent: str = "research-1",
    user: str | None = "kim",
    lineage: str = "ses-first",
    task: str | None = None,
    tool: ToolDefinition | None = None,
) -> Action:
    """An action as the pipeline would make it, with a plain tool unless `tool` is given."""
    definition = tool or ToolDefinition(
        name=name, description=f"The tool {name}.", input_schema={"type": "object"}, target="upstream:mail"
    )
    principal = Principal(
        agent=agent,
        id=f"spiffe://test/agent/{agent}",
        user=user,
        session=lineage,
        lineage=lineage,
        task=task,
    )
    return Action(
        id="act-test",
        kind=Kind.TOOL,
        tool=definition,
        arguments={"to": "bob@example.com"} if arguments is None else dict(arguments),
        principal=principal,
        received_at=1_800_000_000.0,
    )


__all__ = [
    "FrozenClock",
    "MemoryAudit",
    "MemoryNotify",
    "MemorySandbox",
    "MemorySandboxes",
    "MemoryStore",
    "Running",
    "ScriptedDialogue",
    "SeededEntropy",
    "make_action",
]
