# SPDX-License-Identifier: Apache-2.0
"""What the audit room is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from yett.action.values import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One thing that happened, before the audit room gives it a number, a time and a hash.

    `event` is one of: refusal, decision, approval, intent, outcome, system. `fields` never holds a
    secret or a personal value in clear.
    """

    event: str
    action: str = ""
    fields: JsonObject = field(default_factory=dict)
