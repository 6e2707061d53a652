# SPDX-License-Identifier: Apache-2.0
"""`Redactor`: what may leave towards a destination, and what an agent may see of a result.

Each leaf and each name is looked at by every configured detector, also in the encodings it may hide
in; settings say by destination, direction and entity whether that is allowed, masked or blocks the
call. A finding says what, where and a keyed fingerprint. It must never carry the value itself, and a
value that is too large to be looked at must never pass. Pure; the pipeline calls it on both ways.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass

from yett.action import (
    Action,
    Finding,
    FindingAction,
    JsonObject,
    RedactedArguments,
    RedactedResult,
    ToolResult,
)
from yett.errors import ConfigurationError, EgressRefused
from yett.privacy.detector import Detector
from yett.privacy.entities import IP_ADDRESS, LIMIT, MASK_MARKER, PATTERN_ENTITIES, marker, marker_pattern
from yett.privacy.leaf import Sighting, look, mask
from yett.privacy.logged import short_enough, withheld
from yett.privacy.patterns import PatternDetector
from yett.privacy.presidio import PresidioDetector
from yett.privacy.result import rewrite_result
from yett.privacy.settings import Actions, PrivacySettings
from yett.privacy.walk import OverLimitError, Walker
from yett.url import parse_url

ROUNDS = 8
"""A masked text is looked at again until nothing more is found, at most so often."""

WITHHELD = "The result was withheld: it is too large or too deeply nested to be checked for private data."

_EGRESS = "egress"
_SPACING = re.compile(r"[\s\-]")


class Redactor:
    """Privacy in both directions. Implements `ports.Redact`."""

    def __init__(self, settings: PrivacySettings) -> None:
        """Build the configured detectors.

        Raises:
            ConfigurationError: a detector is not installed, or an entity that is to be masked or
                blocked is one that no configured detector can find.
        """
        self._settings = settings
        build: dict[str, Callable[[], Detector]] = {
            "patterns": lambda: PatternDetector(_pattern_entities(settings)),
            "presidio": PresidioDetector,
        }
        self._detectors = tuple(build[name]() for name in settings.detectors)
        known = frozenset[str]().union(*(detector.entities for detector in self._detectors))
        if unknown := settings.acted_on() - known:
            raise ConfigurationError(
                f"no configured detector can find {', '.join(sorted(unknown))}", path=("privacy", "default")
            )
        self._markers = marker_pattern(settings.acted_on() or {MASK_MARKER})
        self._everything: Actions = dict.fromkeys(known, FindingAction.MASK)
        # Names of fields come again with every call. An identifier without a finding can't hold a
        # marker of ours either, so it is clean for every look.
        self._clean_names: set[str] = set()

    def outbound(self, action: Action, *, resumed: bool) -> RedactedArguments:
        """What may leave towards the action's destination. Over a limit: a blocking `LIMIT` finding."""
        writes = action.name in self._settings.writing_tools and not resumed
        actions = self._settings.outbound_for(action.tool.target, _names(action))
        look_at = self._look(actions, markers=self._markers if writes else None)
        try:
            arguments = look_at.object(action.arguments, "")
        except OverLimitError:
            return RedactedArguments(arguments={}, findings=(*look_at.findings, self._over_limit()))
        return RedactedArguments(arguments=arguments, findings=tuple(look_at.findings))

    def inbound(self, action: Action, result: ToolResult) -> RedactedResult:
        """What the agent may see of a result. Over a limit, or with a blocking finding: an error instead."""
        look_at = self._look(self._settings.inbound_for(_names(action)), markers=None)
        try:
            seen = rewrite_result(result, look_at.object, look_at.text)
        except OverLimitError:
            findings = (*look_at.findings, self._over_limit())
            return RedactedResult(result=_withheld(result, WITHHELD), findings=findings)
        blocked = sorted({item.entity for item in look_at.findings if item.action is FindingAction.BLOCK})
        if blocked:
            seen = _withheld(result, f"The result was withheld: it holds {', '.join(blocked)}.")
        return RedactedResult(result=seen, findings=tuple(look_at.findings))

    def logged(self, arguments: JsonObject, *, clean: bool = False) -> JsonObject:
        """The arguments as the log may hold them: whatever was found is masked, and long values are cut."""
        try:
            seen = arguments if clean else self._look(self._everything, markers=None).object(arguments, "")
        except OverLimitError:
            return withheld("over a limit of what may be looked at")
        return short_enough(seen, self._settings.logged_text, self._settings.logged_bytes)

    def _look(self, actions: Actions, *, markers: re.Pattern[str] | None) -> _Look:
        return _Look(self._settings, self._detectors, actions, markers, self._clean_names)

    def _over_limit(self) -> Finding:
        return Finding(entity=LIMIT, place="", score=1.0, action=FindingAction.BLOCK, fingerprint="")


_CLEAN_NAMES = 4096
"""So many names without findings are remembered."""


class _Look:
    """One look at one value: its findings, and the names already judged."""

    def __init__(
        self,
        settings: PrivacySettings,
        detectors: tuple[Detector, ...],
        actions: Actions,
        markers: re.Pattern[str] | None,
        clean: set[str],
    ) -> None:
        self.findings: list[Finding] = []
        self._settings = settings
        self._detectors = detectors
        self._actions = actions
        self._markers = markers
        self._names: dict[str, _Name] = {}
        self._clean = clean
        self._walker = Walker(
            on_text=self._leaf,
            on_name=self._name,
            max_bytes=settings.max_bytes,
            max_depth=settings.max_depth,
            max_leaves=settings.max_leaves,
        )

    def object(self, value: JsonObject, place: str) -> JsonObject:
        """An object with what is not allowed replaced."""
        seen = self._walker.rewrite(value, place)
        return seen if isinstance(seen, dict) else {}

    def text(self, text: str, place: str) -> str:
        """A text with what is not allowed replaced."""
        return str(self._walker.rewrite(text, place))

    def _leaf(self, text: str, key: str, place: str) -> str:
        for found in self._markers.finditer(text) if self._markers else ():
            self.findings.append(self._finding(MASK_MARKER, place, 1.0, FindingAction.BLOCK, found[0]))
        seen = text
        for number in range(ROUNDS):
            sightings = self._sightings(seen, key)
            if number:
                sightings = [item for item in sightings if item.action is not FindingAction.ALLOW]
            for item in sightings:
                value = seen[item.span.start : item.span.end]
                self.findings.append(
                    self._finding(item.span.entity, place, item.span.score, item.action, value)
                )
            masked = mask(seen, sightings)
            if masked == seen:
                return seen
            seen = masked
        return marker(self.findings[-1].entity)

    def _name(self, name: str, place: str) -> tuple[str, str]:
        """A member's name is looked at like a text; in places, one that holds anything is its marker."""
        if name in self._clean:
            return name, name
        known = self._names.get(name)
        if known is None:
            before = len(self.findings)
            masked = self._leaf(name, "", place)
            found = tuple(self.findings[before:])
            del self.findings[before:]
            hidden = marker(found[0].entity) if found else name
            known = self._names[name] = _Name(masked, hidden, found)
            if not found and name.isidentifier() and len(self._clean) < _CLEAN_NAMES:
                self._clean.add(name)
        step = known.shown.replace("~", "~0").replace("/", "~1")
        for item in known.found:
            self.findings.append(
                Finding(
                    entity=item.entity,
                    place=f"{place}/{step}",
                    score=item.score,
                    action=item.action,
                    fingerprint=item.fingerprint,
                )
            )
        return known.put, known.shown

    def _sightings(self, text: str, key: str) -> list[Sighting]:
        spans = look(self._detectors, text, key, self._settings.max_decoding)
        return [Sighting(span, self._actions.get(span.entity, FindingAction.ALLOW)) for span in spans]

    def _finding(self, entity: str, place: str, score: float, action: FindingAction, value: str) -> Finding:
        message = f"{entity}\0{_SPACING.sub('', value)}".encode(errors="surrogatepass")
        digest = hmac.new(self._settings.key.reveal().encode(), message, hashlib.sha256).hexdigest()
        return Finding(entity=entity, place=place, score=score, action=action, fingerprint=digest[:32])


@dataclass(frozen=True, slots=True)
class _Name:
    """What was found in a member's name, what to put in its place and how to write it in a pointer."""

    put: str
    shown: str
    found: tuple[Finding, ...]


def _names(action: Action) -> tuple[str, ...]:
    """The names of an action's destination, the most telling one first."""
    target = action.tool.target
    names = (_host(action) if target == _EGRESS else "", target, target.partition(":")[2])
    return tuple(name for name in names if name)


def _host(action: Action) -> str:
    """The host that egress will send to; none where egress refuses the URL."""
    url = action.arguments.get("url")
    try:
        return parse_url(url).plain_host if isinstance(url, str) else ""
    except EgressRefused:
        return ""


def _pattern_entities(settings: PrivacySettings) -> frozenset[str]:
    return PATTERN_ENTITIES - ({IP_ADDRESS} - settings.named())


def _withheld(result: ToolResult, text: str) -> ToolResult:
    return ToolResult(content=({"type": "text", "text": text},), is_error=True, labels=result.labels)


__all__ = ["ROUNDS", "WITHHELD", "Redactor"]
