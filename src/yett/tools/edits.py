# SPDX-License-Identifier: Apache-2.0
"""Edits of a text: exact replacements and unified diffs. Pure; `file_edit` calls it.

Nothing is guessed: a text to replace that does not occur exactly once, or a line of a patch that is not
where the patch says, changes nothing. A line ends with LF here, whatever stands before it, so that CR LF
stays. No error holds a part of the file: errors are not redacted.
"""

from __future__ import annotations

from dataclasses import dataclass

from yett.errors import ExecutionError

PLACES_TOLD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One replacement."""

    old: str
    new: str
    replace_all: bool = False


def apply_edits(text: str, edits: tuple[Edit, ...], limit: int) -> str:
    """The text after every edit, each made on what the one before it left.

    Args:
        text: the file's content.
        edits: in order.
        limit: characters that the result may have.

    Raises:
        ExecutionError: a text that is not there, is there more than once, or becomes too long.
    """
    for number, edit in enumerate(edits, 1):
        text = _replaced(text, _with_endings_of(text, edit), f"Edit {number}", limit)
    return text


def _replaced(text: str, edit: Edit, name: str, limit: int) -> str:
    if not edit.old:
        raise ExecutionError(f"{name}: `old` is empty; file_write writes a new file.")
    if edit.old == edit.new:
        raise ExecutionError(f"{name}: `old` and `new` are the same.")
    first = text.find(edit.old)
    if first < 0:
        raise ExecutionError(f"{name}: the text in `old` does not occur in the file{_hint(text, edit.old)}.")
    # The second one may overlap with the first: which of them is meant is not said then either.
    second = text.find(edit.old, first + 1)
    if second >= 0 and not edit.replace_all:
        raise ExecutionError(
            f"{name}: the text in `old` occurs {max(2, text.count(edit.old))} times, "
            f"{_places(text, edit.old)}. Give more of the text around it, or `replace_all`."
        )
    count = text.count(edit.old)
    if len(text) + count * (len(edit.new) - len(edit.old)) > limit:
        raise ExecutionError(f"{name}: the file would become longer than {limit} characters.")
    return text.replace(edit.old, edit.new)


def _with_endings_of(text: str, edit: Edit) -> Edit:
    """The edit with CR LF where the file has that alone and the edit none."""
    if not _is_crlf(text) or "\r" in edit.old + edit.new:
        return edit
    old, new = (part.replace("\n", "\r\n") for part in (edit.old, edit.new))
    return Edit(old=old, new=new, replace_all=edit.replace_all)


def _is_crlf(text: str) -> bool:
    lines = text.count("\n")
    return lines > 0 and lines == text.count("\r\n")


def _hint(text: str, old: str) -> str:
    bare = old.strip()
    if bare and bare != old and bare in text:
        return " with exactly this white space around it"
    if "\r" not in old and "\r" in text and old in text.replace("\r\n", "\n"):
        return "; its lines end with CR LF and LF mixed, so copy them exactly"
    return ""


def _places(text: str, old: str) -> str:
    lines: list[str] = []
    place = text.find(old)
    while place >= 0 and len(lines) <= PLACES_TOLD:
        lines.append(str(text.count("\n", 0, place) + 1))
        place = text.find(old, place + 1)
    more = ["..."] if len(lines) > PLACES_TOLD else []
    return "at lines " + ", ".join([*lines[:PLACES_TOLD], *more])


__all__ = ["Edit", "apply_edits"]
