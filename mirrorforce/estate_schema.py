"""Faults of a document against `schemas/estate.schema.json`, and the schema's defaults."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from mirrorforce.faults import Fault, FilePath, nearest
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from jsonschema.exceptions import ValidationError

SCHEMA_FILE = ROOT / "schemas" / "estate.schema.json"

_TYPES = {
    "object": "a mapping (key: value)",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_LONGEST_SHOWN = 60


@cache
def schema() -> Mapping[str, Any]:
    """The schema of estate files."""
    document: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return document


def faults(document: object) -> tuple[Fault, ...]:
    """Every fault of the document against the schema."""
    errors = Draft202012Validator(schema()).iter_errors(document)
    return tuple(fault for error in errors for fault in _faults_of(error))


def with_defaults(document: object) -> Any:  # noqa: ANN401  (what YAML holds has no narrower type)
    """A copy of the document in which the schema's defaults stand for what is absent."""
    return _filled(document, schema())


def _filled(value: object, part: Mapping[str, Any]) -> object:
    part = _resolved(part)
    if isinstance(value, list):
        return [_filled(item, part.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    known: Mapping[str, Any] = part.get("properties", {})
    others = part.get("additionalProperties", {}) or {}
    absent = {key: sub["default"] for key, sub in known.items() if "default" in sub and key not in value}
    return {key: _filled(item, known.get(key, others)) for key, item in (value | absent).items()}


def _resolved(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part itself, or what its `$ref` into `$defs` names."""
    reference: str | None = part.get("$ref")
    if reference is None:
        return part
    definition: Mapping[str, Any] = schema()["$defs"][reference.removeprefix("#/$defs/")]
    return definition


def _faults_of(error: ValidationError) -> Iterator[Fault]:
    """The faults of one schema error: one for each unknown or missing key, else a single one."""
    path: FilePath = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and error.validator_value is False:
        known = list(error.schema["properties"])
        for key in error.instance:
            if key not in known:
                yield _unknown(path, key, known)
    elif error.validator == "required":
        yield _missing(path, error)
    elif "propertyNames" in error.absolute_schema_path:
        yield Fault((*path, str(error.instance)), f"the name {_shown(error.instance)}", _allowed(error))
    elif error.validator is None:  # the schema `false`: a key that has no place beside another
        yield Fault(path, f"{_shown(error.instance)}", "nothing: this key has no place here")
    else:
        meant = ""
        if error.validator == "enum" and isinstance(error.instance, str):
            meant = nearest(error.instance, error.validator_value)
        yield Fault(path, _shown(error.instance), _allowed(error), meant)


def _unknown(path: FilePath, key: object, known: Iterable[str]) -> Fault:
    known = sorted(known)
    return Fault((*path, str(key)), "an unknown key", ", ".join(known), nearest(str(key), known))


def _missing(path: FilePath, error: ValidationError) -> Fault:
    # One error names one missing key, in its message only; the first of the required ones that is
    # absent and not yet told would be a guess, so ask the message.
    key = error.message.split("'")[1]
    part = _resolved(error.schema.get("properties", {}).get(key, {}))
    return Fault((*path, key), "nothing: the key is missing", _in_words(part))


def _in_words(part: Mapping[str, Any]) -> str:
    """What a part of the schema allows, in words."""
    if words := part.get("x-allowed"):
        return str(words)
    if "enum" in part:
        return ", ".join(map(str, part["enum"]))
    if "type" in part:
        return _TYPES[part["type"]]
    return "a value"


def _allowed(error: ValidationError) -> str:
    limit = error.validator_value
    words: dict[str, Callable[[], str]] = {
        "enum": lambda: ", ".join(map(str, limit)),
        "type": lambda: _TYPES[limit],
        "minimum": lambda: f"{limit} or more",
        "maximum": lambda: f"{limit} or less",
        "minItems": lambda: f"{limit} items" if error.schema.get("maxItems") == limit else f"{limit} items or more",
        "maxItems": lambda: f"{limit} items" if error.schema.get("minItems") == limit else f"{limit} items or fewer",
        "uniqueItems": lambda: "each item once",
        "minProperties": lambda: f"{limit} or more entries",
    }
    if error.validator in words:
        return words[str(error.validator)]()
    return _in_words(error.schema)


def _shown(value: object) -> str:
    """A value as YAML people know it, shortened."""
    if value is None:
        return "nothing (an empty value)"
    text = json.dumps(value, default=str, ensure_ascii=False)
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[: _LONGEST_SHOWN - 1]}…"
    kinds = {bool: "", int: "", float: "", str: "text ", dict: "a mapping ", list: "a list "}
    return f"{kinds.get(type(value), '')}{text}"
