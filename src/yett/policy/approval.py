# SPDX-License-Identifier: Apache-2.0
"""`approval:` of a rule becomes ApprovalTerms, and several terms become the strictest of them."""

from __future__ import annotations

from collections.abc import Iterable

from yett.action import ApprovalTerms, JsonValue
from yett.policy.complaint import Path, complaint, mapping, unknown_word, words
from yett.units import seconds_of

_KEYS = frozenset({"approvers", "need", "expires", "not_requester"})
_LATER = frozenset({"delay", "on_timeout"})
_DEFAULT = ApprovalTerms()


def parse_approval(
    written: JsonValue, known: frozenset[str], path: Path, *, expires: float = _DEFAULT.expires
) -> ApprovalTerms:
    """Read `approval: {approvers, need, expires, not_requester}`. `known` are people and groups.

    `expires` is the time in seconds when the rule gives none.

    Raises:
        ConfigurationError: an unknown key or approver, or a value of the wrong kind.
    """
    block = mapping(written, "'approval'", path)
    for key in block:
        if key in _LATER:
            raise complaint(
                f"{key!r} is of a later version; an approval that expires is denied.", (*path, key)
            )
        if key not in _KEYS:
            raise unknown_word("key", key, _KEYS, (*path, key))
    need = block.get("need", _DEFAULT.need)
    if isinstance(need, bool) or not isinstance(need, int) or need < 1:
        raise complaint(f"'need' is a whole number from 1, not {need!r}.", (*path, "need"))
    not_requester = block.get("not_requester", _DEFAULT.not_requester)
    if not isinstance(not_requester, bool):
        raise complaint(f"'not_requester' is true or false, not {not_requester!r}.", (*path, "not_requester"))
    wait = seconds_of(block.get("expires", expires))
    if wait is None:
        wanted = f"'expires' is a duration such as 10m, not {block.get('expires')!r}."
        raise complaint(wanted, (*path, "expires"))
    return ApprovalTerms(
        approvers=_approvers(block, known, path), need=need, expires=wait, not_requester=not_requester
    )


def strictest_terms(terms: Iterable[ApprovalTerms]) -> ApprovalTerms:
    """Most people needed, every approver named, shortest wait, never the requester if one says so."""
    listed = tuple(terms) or (_DEFAULT,)
    return ApprovalTerms(
        approvers=frozenset().union(*(each.approvers for each in listed)),
        need=max(each.need for each in listed),
        expires=min(each.expires for each in listed),
        not_requester=any(each.not_requester for each in listed),
    )


def _approvers(block: dict[str, JsonValue], known: frozenset[str], path: Path) -> frozenset[str]:
    if "approvers" not in block:
        return frozenset()
    place = (*path, "approvers")
    names = words(block["approvers"], "'approvers'", place)
    for index, name in enumerate(names):
        if name not in known:
            raise unknown_word("person or group", name, known, (*place, index))
    return frozenset(names)
