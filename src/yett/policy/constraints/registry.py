# SPDX-License-Identifier: Apache-2.0
"""The words that may stand in a `when`, and the parser of each. Called by the compiler only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from yett.action import JsonValue
from yett.policy.constraints.constraint import Constraint, Place
from yett.policy.constraints.equality import parse_eq, parse_exists, parse_in, parse_not_in
from yett.policy.constraints.globs import parse_match, parse_not_match
from yett.policy.constraints.hosts import parse_domain_in, parse_host_in
from yett.policy.constraints.numbers import parse_max, parse_max_len, parse_min, parse_number_between
from yett.policy.constraints.paths import parse_under
from yett.policy.constraints.sets import parse_any_of, parse_subset_of

Parse: TypeAlias = Callable[[JsonValue, Place], Constraint]

CONSTRAINTS: Mapping[str, Parse] = {
    "any_of": parse_any_of,
    "between": parse_number_between,
    "domain_in": parse_domain_in,
    "eq": parse_eq,
    "exists": parse_exists,
    "host_in": parse_host_in,
    "in": parse_in,
    "match": parse_match,
    "max": parse_max,
    "max_len": parse_max_len,
    "min": parse_min,
    "not_in": parse_not_in,
    "not_match": parse_not_match,
    "subset_of": parse_subset_of,
    "under": parse_under,
}

LATER = frozenset({"from", "not_from", "json_schema", "count", "total"})
"""Constraints of a later version: a file that uses them is refused, never half-obeyed."""
