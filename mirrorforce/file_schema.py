"""A file's JSON Schema: what is wrong with a document, in words for the person who wrote it; its defaults."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from mirrorforce.faults import Fault, FilePath, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema.protocols import Validator


def _is_integer(_checker: object, value: object) -> bool:
    """JSON Schema takes 2.0 for an integer; Python's range() does not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _pattern(_validator: object, pattern: str, value: object, _part: object) -> Iterator[ValidationError]:
    """JSON Schema's `$` is the end of the text; Python's lets a line break follow."""
    if isinstance(value, str) and not re.search(pattern.replace("$", r"\Z"), value):
        yield ValidationError("the pattern does not match")


_Validator: type[Validator] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    validators={"pattern": _pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)

_TYPES = {
    "object": "a mapping (key: value)",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_LONGEST_SHOWN = 60
_UNKNOWN = "an unknown key"
_MISSING = "nothing: the key is missing"


def _resolved(schema: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of the schema itself, or what its `$ref` into `$defs` names."""
    reference: str | None = part.get("$ref")
    if reference is None:
        return part
    definition: Mapping[str, Any] = schema["$defs"][reference.removeprefix("#/$defs/")]
    return definition


def faults(schema: Mapping[str, Any], document: Any) -> tuple[Fault, ...]:  # noqa: ANN401  (YAML's types)
    """Every fault of the document against the schema."""
    errors = _Validator(schema).iter_errors(document)
    found = [fault for error in errors for fault in _faults_of(schema, error)]
    # A key that is missing because it was misspelt is one fault, not two.
    misspelt = {(*fault.path[:-1], fault.meant) for fault in found if fault.found == _UNKNOWN}
    return tuple(fault for fault in found if fault.found != _MISSING or fault.path not in misspelt)


def with_defaults(schema: Mapping[str, Any], document: object) -> Any:  # noqa: ANN401  (YAML's types)
    """A copy of the document in which the schema's defaults stand for what is absent."""
    return _filled(schema, document, schema)


def _filled(schema: Mapping[str, Any], value: object, part: Mapping[str, Any]) -> object:
    part = _resolved(schema, part)
    if isinstance(value, list):
        return [_filled(schema, item, part.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    known: Mapping[str, Any] = part.get("properties", {})
    others = part.get("additionalProperties", {}) or {}
    absent = {key: sub["default"] for key, sub in known.items() if "default" in sub and key not in value}
    return {key: _filled(schema, item, known.get(key, others)) for key, item in (value | absent).items()}


def shown(value: object) -> str:
    """A value as YAML people know it, shortened."""
    if value is None:
        return "nothing (an empty value)"
    text = json.dumps(value, default=str, ensure_ascii=False)
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[: _LONGEST_SHOWN - 1]}…"
    kinds = {bool: "", int: "", float: "", str: "text ", dict: "a mapping ", list: "a list "}
    return f"{kinds.get(type(value), '')}{text}"


def _faults_of(schema: Mapping[str, Any], error: ValidationError) -> Iterator[Fault]:
    """The faults of one schema error: one for each unknown or missing key, else a single one."""
    path: FilePath = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        known = sorted(_part(error)["properties"])
        instance: Any = error.instance
        for key in instance:
            if key not in known:
                yield Fault((*path, key), _UNKNOWN, ", ".join(known), nearest(key, known))
    elif error.validator == "required":
        # One error is one missing key, which it names nowhere but in its message.
        key = error.message.split("'")[1]
        allowed = _in_words(_resolved(schema, _part(error)["properties"][key]))
        yield Fault((*path, key), _MISSING, allowed)
    elif "propertyNames" in error.absolute_schema_path:
        yield Fault((*path, str(error.instance)), f"the name {json.dumps(error.instance)}", _allowed(error))
    elif error.validator == "not":  # `not: {}` is a key that has no place beside another
        yield Fault(path, shown(error.instance), "nothing: the key has no place here")
    else:
        meant = ""
        if error.validator == "enum" and isinstance(error.instance, str):
            meant = nearest(error.instance, filter(_is_text, _part(error)["enum"]))
        yield Fault(path, shown(error.instance), _allowed(error), meant)


def _part(error: ValidationError) -> Mapping[str, Any]:
    """The part of the schema that an error is of; `true` and `false` are parts without keys."""
    return error.schema if isinstance(error.schema, dict) else {}


def _in_words(part: Mapping[str, Any]) -> str:
    """What a part of the schema allows, in words."""
    if words := part.get("x-allowed"):
        return str(words)
    if "enum" in part:
        return ", ".join(map(str, part["enum"]))
    return _TYPES[part["type"]]


def _allowed(error: ValidationError) -> str:
    """What would have been right in place of a value that is wrong."""
    part, limit = _part(error), error.validator_value
    if error.validator == "type" and limit == "string" and not isinstance(error.instance, dict | list | None):
        return "text; quotes make it text"
    words: dict[str, Callable[[], str]] = {
        "type": lambda: _TYPES[str(limit)],
        "minimum": lambda: f"{limit} or more",
        "maximum": lambda: f"{limit} or less",
        "minItems": lambda: _number_of_items(part),
        "maxItems": lambda: _number_of_items(part),
        "uniqueItems": lambda: "each item once",
        "minProperties": lambda: f"{limit} or more entries",
    }
    known = words.get(str(error.validator))
    return known() if known else _in_words(part)


def _number_of_items(part: Mapping[str, Any]) -> str:
    least, most = part["minItems"], part["maxItems"]
    return f"{least} items" if least == most else f"{least} to {most} items"
