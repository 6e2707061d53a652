# SPDX-License-Identifier: Apache-2.0
"""Whether arguments fit a tool's JSON schema (draft 2020-12 unless it names another).

A schema may come from a hostile upstream: references outside the schema are never fetched, patterns
run in linear time (RE2), endless recursion is a misfit. The sentence that says what does not fit is
made from the schema and from places, never from the arguments' values, because it is logged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import re2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import extend, validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from yett.action import JsonObject

_CACHE_LIMIT = 4096
_FORMS = frozenset({"anyOf", "oneOf", "allOf", "not", "if"})


class SchemaCheck:
    """Compiled schemas by the digest of their tool."""

    def __init__(self) -> None:
        self._compiled: dict[str, Any] = {}

    def problem(self, digest: str, schema: JsonObject, arguments: JsonObject) -> str | None:
        """What does not fit, in one sentence, or None."""
        try:
            validator = self._compiled.get(digest) or self._compile(digest, schema)
            first = best_match(validator.iter_errors(arguments))
        except (SchemaError, Unresolvable, RecursionError, re2.error):
            return "The tool's own schema can't be checked, so no arguments fit it."
        return None if first is None else _sentence(first)

    def _compile(self, digest: str, schema: JsonObject) -> Any:
        base = validator_for(schema, default=Draft202012Validator)
        base.check_schema(schema)
        linear: Any = extend(base, {"pattern": _pattern})  # type: ignore[no-untyped-call]
        compiled = linear(schema, registry=Registry())
        if len(self._compiled) >= _CACHE_LIMIT:
            self._compiled.clear()
        self._compiled[digest] = compiled
        return compiled


def _pattern(_: Any, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and re2.search(pattern, instance) is None:
        yield ValidationError("pattern")


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
    told = {
        "type": f"must be of type {' or '.join(map(str, _list(wanted)))}.",
        "pattern": f"must look like {wanted!r} (a regular expression)."[:256],
        "enum": f"must be one of {', '.join(map(repr, _list(wanted)))}."[:512],
    }
    return told.get(str(kind), f"does not fit the schema's {kind}: {str(wanted)[:128]}.")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
