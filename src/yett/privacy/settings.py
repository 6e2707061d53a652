# SPDX-License-Identifier: Apache-2.0
"""What can be set about privacy. Plain values; `app.py` maps `yett.yaml` onto them.

Defaults: towards anything but the sandbox a secret blocks the call and card, account and social
security numbers are masked; the sandbox, which stays inside, gets everything; in results secrets and
those numbers are masked. Whatever is not named is allowed and reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from yett.action import FindingAction, Secret
from yett.errors import ConfigurationError
from yett.privacy.entities import CREDIT_CARD, IBAN_CODE, SECRET, US_SSN

Actions = Mapping[str, FindingAction]
"""What to do with a finding, by entity."""

OUTBOUND: Actions = {
    SECRET: FindingAction.BLOCK,
    CREDIT_CARD: FindingAction.MASK,
    US_SSN: FindingAction.MASK,
    IBAN_CODE: FindingAction.MASK,
}
INBOUND: Actions = {
    SECRET: FindingAction.MASK,
    CREDIT_CARD: FindingAction.MASK,
    US_SSN: FindingAction.MASK,
}
SANDBOX = "sandbox"
SANDBOX_OUTBOUND: Actions = {}
"""What goes into the sandbox stays inside; what leaves it is an action of its own."""

_LATER = {"tokenise", "tokenize", "pseudonymise", "pseudonymize"}
_FIRST_DETECTORS = ("patterns", "presidio")


def parse_actions(raw: Mapping[str, str], path: tuple[str | int, ...]) -> Actions:
    """The actions in a part of `yett.yaml`, which stands at `path`.

    Raises:
        ConfigurationError: an action that this version has not.
    """
    actions = {}
    for entity, name in raw.items():
        if name in _LATER:
            raise ConfigurationError(
                f"{name!r} is not in this version: use mask, block or allow", path=(*path, entity)
            )
        try:
            actions[entity] = FindingAction(name)
        except ValueError:
            raise ConfigurationError(
                f"{name!r} is no action: use allow, mask or block", path=(*path, entity)
            ) from None
    return actions


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationSettings:
    """What differs for one destination, entity by entity."""

    outbound: Actions = field(default_factory=dict)
    inbound: Actions = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Plain strings become actions, so that none is silently without effect."""
        for name in ("outbound", "inbound"):
            object.__setattr__(
                self, name, parse_actions(getattr(self, name), ("privacy", "destinations", name))
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySettings:
    """What to do with what is found, and how much may be looked at.

    `key` makes fingerprints; it must be secret and stay the same for fingerprints to be comparable.
    `destinations`: by the tool's target (`upstream:crm`), the part behind its colon (`crm`), or for
    egress the host of the `url` argument. `max_bytes` counts characters of all text and names in one
    value; `max_depth` nesting, JSON inside strings included; `max_leaves` values in it.
    `logged_text` characters of one text and `logged_bytes` of a call's arguments stand in the log.
    `writing_tools` are those whose arguments may hold no marker of ours.
    """

    key: Secret
    outbound: Actions = field(default_factory=lambda: OUTBOUND)
    inbound: Actions = field(default_factory=lambda: INBOUND)
    destinations: Mapping[str, DestinationSettings] = field(default_factory=dict)
    detectors: tuple[str, ...] = ("patterns",)
    max_bytes: int = 4 << 20
    max_depth: int = 64
    max_leaves: int = 100_000
    max_decoding: int = 2
    logged_text: int = 2000
    logged_bytes: int = 16 << 10
    writing_tools: frozenset[str] = frozenset({"file_write", "file_edit"})

    def __post_init__(self) -> None:
        """Refuse what can't work.

        Raises:
            ConfigurationError: an unknown action or detector, an empty key, a limit below one.
        """
        for name in ("outbound", "inbound"):
            object.__setattr__(self, name, parse_actions(getattr(self, name), ("privacy", "default", name)))
        unknown = [name for name in self.detectors if name not in _FIRST_DETECTORS]
        if unknown or not self.detectors:
            raise ConfigurationError(
                f"detectors must be among {', '.join(_FIRST_DETECTORS)}, not {unknown or 'none'}",
                path=("privacy", "detectors"),
            )
        if len(self.key.reveal()) < 16:
            raise ConfigurationError(
                "the fingerprint key needs 16 characters or more", path=("privacy", "key")
            )
        for item in fields(self):
            if item.name.startswith("max_") and getattr(self, item.name) < 1:
                raise ConfigurationError(
                    f"privacy.{item.name} must be 1 or more", path=("privacy", item.name)
                )

    def outbound_for(self, target: str, names: tuple[str, ...]) -> Actions:
        """What to do on the way to a tool's target known by these names, the most telling name first."""
        base = SANDBOX_OUTBOUND if target == SANDBOX else self.outbound
        found = self._destination(names)
        return {**base, **found.outbound} if found else base

    def inbound_for(self, names: tuple[str, ...]) -> Actions:
        """What to do with what comes back from a destination."""
        found = self._destination(names)
        return {**self.inbound, **found.inbound} if found else self.inbound

    def _destination(self, names: tuple[str, ...]) -> DestinationSettings | None:
        return next((self.destinations[name] for name in names if name in self.destinations), None)

    def acted_on(self) -> frozenset[str]:
        """Every entity that some map masks or blocks."""
        maps = self._maps()
        return frozenset(
            entity for part in maps for entity, action in part.items() if action is not FindingAction.ALLOW
        )

    def named(self) -> frozenset[str]:
        """Every entity that some map names."""
        return frozenset(entity for part in self._maps() for entity in part)

    def _maps(self) -> list[Actions]:
        places = self.destinations.values()
        return [
            self.outbound,
            self.inbound,
            *(part for place in places for part in (place.outbound, place.inbound)),
        ]


__all__ = [
    "INBOUND",
    "OUTBOUND",
    "SANDBOX",
    "SANDBOX_OUTBOUND",
    "Actions",
    "DestinationSettings",
    "PrivacySettings",
    "parse_actions",
]
