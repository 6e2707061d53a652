# SPDX-License-Identifier: Apache-2.0
"""Whether arguments fit a tool's JSON schema (draft 2020-12 unless it names another).

A schema may come from a hostile upstream and arguments from a hostile agent, and this runs before any
decision, where all agents wait: references outside the schema are never fetched, patterns run in linear
time (RE2), uniqueness too, and each check has a number of steps after which it is a misfit. The sentence
that says what does not fit is made from the schema and from places, never from the arguments' values,
because it is logged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from itertools import islice
from typing import Any, TypeAlias

import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from yett.action import JsonObject, JsonValue, canonical_json

_CACHE_LIMIT = 4096
_ERRORS_READ = 16
"""Misfits that are weighed against each other for the answer; an agent can make millions."""
MAX_STEPS = 1_000_000
"""Keywords, names and items that one check may look at; a schema that branches doubles them at each level."""
MAX_UNEVALUATED = 1_000
"""Items or members that `unevaluated...` is checked on; the library takes quadratic time."""
_FORMS = frozenset({"anyOf", "oneOf", "allOf", "not", "if"})


class SchemaCheck:
    """Compiled schemas by the digest of their tool."""

    def __init__(self) -> None:
        self._compiled: dict[str, Any] = {}

    def problem(self, digest: str, schema: JsonObject, arguments: JsonObject) -> str | None:
        """What does not fit, in one sentence, or None."""
        try:
            _steps_left.set([MAX_STEPS])
            validator = self._compiled.get(digest) or self._compile(digest, schema)
            first = best_match(islice(validator.iter_errors(arguments), _ERRORS_READ))
        except (SchemaError, Unresolvable, RecursionError, re2.error):
            return "The tool's own schema can't be checked, so no arguments fit it."
        return None if first is None else _sentence(first)

    def _compile(self, digest: str, schema: JsonObject) -> Any:
        base: Any = validator_for(schema, default=Draft202012Validator)
        keywords = {**base.VALIDATORS, **_LINEAR}
        bounded: Any = extend(base, {name: _counted(check) for name, check in keywords.items()})  # type: ignore[no-untyped-call]
        if next(bounded(base.META_SCHEMA).iter_errors(schema), None) is not None:
            raise SchemaError("not a JSON schema")
        text = canonical_json(schema)
        if b'"patternProperties"' in text and b'"unevaluatedProperties"' in text:
            raise SchemaError("together these run Python's backtracking patterns")
        compiled = bounded(_without_dialects(schema), registry=Registry())
        if len(self._compiled) >= _CACHE_LIMIT:
            self._compiled.clear()
        self._compiled[digest] = compiled
        return compiled


_Check: TypeAlias = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]
_steps_left: ContextVar[list[int]] = ContextVar("steps_left")


def _counted(check: _Check) -> _Check:
    def counted(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError] | None:
        _charge(1 + _size(wanted) + _size(instance))
        return check(validator, wanted, instance, schema)

    return counted


def _charge(steps: int) -> None:
    left = _steps_left.get()
    left[0] -= steps
    if left[0] < 0:
        raise RecursionError("too many steps")


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value) >> 6
    return len(value) if isinstance(value, dict | list) else 0


def _without_dialects(value: Any) -> Any:
    """Without `$schema`: below the root it would bring back a dialect's own checks for ours."""
    if isinstance(value, dict):
        return {
            name: _without_dialects(inner)
            for name, inner in value.items()
            if name != "$schema" or not isinstance(inner, str)
        }
    return [_without_dialects(inner) for inner in value] if isinstance(value, list) else value


def _pattern(_: Any, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and re2.search(pattern, instance) is None:
        yield ValidationError("pattern")


def _pattern_properties(
    validator: Any, patterns: dict[str, Any], instance: object, _: object
) -> Iterator[ValidationError]:
    named = instance if isinstance(instance, dict) else {}
    for pattern, inner in patterns.items():
        for name, value in named.items():
            if re2.search(pattern, name) is not None:
                yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, wanted: Any, instance: object, schema: dict[str, Any]
) -> Iterator[ValidationError]:
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, value in instance.items() if isinstance(instance, dict) else ():
        if name in known or any(re2.search(pattern, name) is not None for pattern in patterns):
            continue
        if wanted is False:
            yield ValidationError("additionalProperties")
            return
        yield from validator.descend(value, wanted, path=name)


def _unevaluated(check: _Check) -> _Check:
    def bounded(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[ValidationError] | None:
        if _size(instance) > MAX_UNEVALUATED:
            raise RecursionError("too many to look for what was not evaluated")
        return check(validator, wanted, instance, schema)

    return bounded


def _unique_items(_: Any, wanted: object, instance: object, __: object) -> Iterator[ValidationError]:
    seen: set[bytes] = set()
    for item in instance if wanted and isinstance(instance, list) else ():
        form = canonical_json(_numbers_alike(item))
        _charge(len(form) >> 4)
        if form in seen:
            yield ValidationError("uniqueItems")
            return
        seen.add(form)


def _numbers_alike(value: JsonValue) -> JsonValue:
    """JSON has one 1, which Python has as an integer and as a float."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _numbers_alike(inner) for name, inner in value.items()}
    return [_numbers_alike(inner) for inner in value] if isinstance(value, list) else value


_LINEAR: dict[str, _Check] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
    **{
        name: _unevaluated(Draft202012Validator.VALIDATORS[name])
        for name in ("unevaluatedItems", "unevaluatedProperties")
    },
}
"""Our own checks where the library's take more than linear time."""


def _sentence(error: ValidationError) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    subject = f"`{place.lstrip('.')[:128]}`" if place else "The arguments"
    wanted: Any = error.validator_value
    schema: Any = error.schema
    return f"{subject} {_misfit(error, wanted, schema)}"


def _misfit(error: ValidationError, wanted: Any, schema: Any) -> str:
    kind = error.validator
    if kind == "required" and isinstance(error.instance, dict):
        return f"must have {', '.join(f'`{name}`' for name in wanted if name not in error.instance)}."
    if kind == "additionalProperties":
        known = ", ".join(f"`{name}`" for name in sorted(schema.get("properties", {})))
        return f"may have only {known or 'no keys'}."
    if kind in _FORMS:
        return f"fits none of the forms that the schema allows ({kind})."
    if kind == "pattern" and wanted == "^/":
        return "must begin with `/`: it is an absolute path."
    told = {
        "type": f"must be of type {' or '.join(map(str, _list(wanted)))}.",
        "pattern": f"must look like {wanted!r} (a regular expression)."[:256],
        "enum": f"must be one of {', '.join(map(repr, _list(wanted)))}."[:512],
    }
    return told.get(str(kind), f"does not fit the schema's {kind}: {str(wanted)[:128]}.")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
