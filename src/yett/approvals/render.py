# SPDX-License-Identifier: Apache-2.0
r"""What a person is shown of an approval record, made from the record alone.

1. Agent-controlled text stands only inside the argument table, each value on one line and quoted.
2. Nothing invisible: control, bidirectional, zero-width, combining and unassigned characters, and
   every space but the plain one, are shown as escapes (`\u{202e}`); a backslash is doubled, so
   that an escape can't be forged. A long run of spaces is shown by its length (`\s{400}`).
3. Nothing silently cut: what does not fit is counted (`... 512 bytes not shown`).

Pure. Used for elicitation, and by the command line and the console.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from yett.action import ApprovalRecord, JsonObject, JsonValue
from yett.approvals.settings import ApprovalSettings

_NAMED: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", '"': '\\"'}
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Me", "Mn", "Zl", "Zp", "Zs"})
# Letters and symbols by category, and yet drawn as nothing: Hangul fillers and the empty Braille cell.
_BLANK: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_LONG_GAP: Final = re.compile(r" {8,}")
_NAME_WIDTH: Final = 28


def render(record: ApprovalRecord, settings: ApprovalSettings) -> str:
    """The question as plain text: who, what, where, every argument, which rule and why, until when."""
    who = visible(record.agent)
    if record.user is not None:
        who += f" (on behalf of {visible(record.user)})"
    lines = [f"Agent {who} asks to run {visible(record.tool)} on {visible(record.target)}."]
    if record.task is not None:
        lines.append(f"Task: {visible(record.task)}")
    lines += [f"Rule {visible(record.rule)}: {visible(record.reason)}", "Arguments:"]
    lines += argument_table(record.arguments, settings) or ["  (none)"]
    lines.append(
        f"An approval covers exactly this call, once, until {_time(record.expires_at)}."
        f" ({record.id}, digest {record.key[:8]})"
    )
    return "\n".join(lines)


def argument_table(arguments: JsonObject, settings: ApprovalSettings) -> list[str]:
    """One line for each leaf of the arguments, names aligned, within the limits of `settings`."""
    rows = [(name, _shown(value)) for name, value in _leaves(arguments, "")]
    width = min(_NAME_WIDTH, max((len(name) for name, _ in rows), default=0))
    lines: list[str] = []
    room = settings.shown_arguments_limit
    for number, (name, text) in enumerate(rows):
        line = (
            f"  {_cut(name, settings.shown_value_limit):{width}} | {_cut(text, settings.shown_value_limit)}"
        )
        room -= len(line.encode())
        if room < 0:
            hidden = sum(len(f"{n}{t}".encode()) for n, t in rows[number:])
            lines.append(f"  ... {len(rows) - number} more arguments, {hidden} bytes not shown")
            break
        lines.append(line)
    return lines


def visible(text: str) -> str:
    """The text on one line, with everything that can't be seen for what it is as an escape."""
    escaped = "".join(_NAMED.get(c) or (_escape(c) if _is_hidden(c) else c) for c in text)
    return _LONG_GAP.sub(lambda gap: f"\\s{{{len(gap[0])}}}", escaped)


def _is_hidden(character: str) -> bool:
    if character == " ":
        return False
    return unicodedata.category(character) in _HIDDEN_CATEGORIES or character in _BLANK


def _escape(character: str) -> str:
    return f"\\u{{{ord(character):x}}}"


def _leaves(value: JsonValue, path: str) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            name = key if _is_plain(key) else f'"{visible(key)}"'
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    elif path:
        yield path, value


def _is_plain(key: str) -> bool:
    return key.isascii() and key.replace("_", "a").replace("-", "a").isalnum()


def _shown(value: JsonValue) -> str:
    return f'"{visible(value)}"' if isinstance(value, str) else json.dumps(value)


def _cut(text: str, limit: int) -> str:
    form = text.encode()
    if len(form) <= limit:
        return text
    kept = form[:limit].decode(errors="ignore")
    return f"{kept} ... {len(form) - len(kept.encode())} bytes not shown"


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
