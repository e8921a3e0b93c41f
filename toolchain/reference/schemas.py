"""What a JSON Schema of `schemas/` allows, as tables: one for the document, one for each named part of it.

Read here beside JSON Schema itself: `title` names a part's section, `x-allowed` says in words what a pattern
allows, `x-unit` what a number counts (`none`: it is no amount). A mapping within a part stands in the part's
own table, by dotted names; `[]` is each item of a list, `<name>` each name of a mapping.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mirrorforce.workspace import ROOT
from toolchain.reference.markdown import code, link, prose, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Part = Mapping[str, Any]

Writer = Literal["person", "program"]
"""Who writes the document: a person wants to know what is required, and what stands for the rest; whoever
reads a program's report wants to know what may be absent."""

FOLDER = ROOT / "schemas"
_NULL = {"type": "null"}
_FORMATS = {"date-time": "moment (ISO 8601)", "date": "day (YYYY-MM-DD)", "ipv4": "IPv4 address"}


class Row(NamedTuple):
    """A field: its dotted name, what it may be, whether it has to be there, its default, what it is."""

    name: str
    type: str
    required: bool
    default: object
    meaning: str


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema; `scope` stands before its headings, where a page tells of several schemas."""

    document: Part
    scope: str = ""

    def part(self, name: str) -> Part:
        """One of the `$defs`."""
        found: Part = self.document["$defs"][name]
        return found

    def title(self, name: str) -> str:
        """What a named part is called, as it stands in a sentence."""
        return str(self.part(name).get("title") or f"a {name.replace('_', ' ')}")

    def heading(self, name: str) -> str:
        """The heading of a named part."""
        title = self.title(name)
        return f"{self.scope}: {title}" if self.scope else f"{title[:1].upper()}{title[1:]}"


def names() -> list[str]:
    """Every schema there is, by the name of its file without `.schema.json`."""
    return sorted(path.name.removesuffix(".schema.json") for path in FOLDER.glob("*.schema.json"))


def read(name: str, scope: str = "") -> Schema:
    """The schema of that name."""
    text = (FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")
    return Schema(json.loads(text), scope)


def sections(schema: Schema, writer: Writer, *, level: int = 3) -> Iterator[str]:
    """The document's own table, then a section for each of its named parts, in order of first use."""
    if "properties" in schema.document:
        yield _table(schema, schema.document, writer)
    for name in named_parts(schema):
        part = schema.part(name)
        yield f"{'#' * level} {schema.heading(name)}"
        if "description" in part:
            yield prose(part["description"])
        yield _table(schema, part, writer)


def named_parts(schema: Schema) -> list[str]:
    """The `$defs` that have fields of their own, in order of first use."""
    found: dict[str, None] = {}
    seen = set()

    def visit(part: object) -> None:
        if isinstance(part, list):
            for inner in part:
                visit(inner)
        if not isinstance(part, dict):
            return
        name = _name(part)
        if name and name not in seen:
            seen.add(name)
            if "properties" in schema.part(name):
                found[name] = None
            visit(schema.part(name))
        for key, inner in part.items():
            if key != "$defs":
                visit(inner)

    visit(schema.document)
    return list(found)


def rows(schema: Schema, part: Part, prefix: str = "") -> Iterator[Row]:
    """The fields of a part, in the schema's order, each followed by those within it."""
    required = part.get("required", ())
    for key, field in part.get("properties", {}).items():
        name = f"{prefix}{key}"
        meaning = field.get("description") or _definition(schema, field).get("description", "")
        yield Row(name, in_words(schema, field), key in required, field.get("default"), prose(meaning))
        yield from _inner_rows(schema, name, field)


def in_words(schema: Schema, field: Part) -> str:
    """What a field may be."""
    part = _without_null(field)
    kind = _kind(schema, part)
    if part is field and "null" not in types(field) and None not in field.get("enum", ()):
        return kind
    return f"{kind}; or null" if ", " in kind else f"{kind} or null"


def _inner_rows(schema: Schema, name: str, field: Part) -> Iterator[Row]:
    """The fields of a mapping that stands within a part, of each item of a list, of each name."""
    own = _without_null(field)
    yield from rows(schema, own, f"{name}.")
    if isinstance(items := own.get("items"), dict):
        yield from _inner_rows(schema, f"{name}[]", items)
    if isinstance(others := own.get("additionalProperties"), dict):
        yield from _inner_rows(schema, f"{name}.<name>", others)


def _table(schema: Schema, part: Part, writer: Writer) -> str:
    found = rows(schema, part)
    if writer == "program":
        lines = ([code(row.name), _present(row), row.meaning] for row in found)
        return table(("field", "type", "meaning"), lines)
    lines = ([code(row.name), row.type, _default(row), row.meaning] for row in found)
    return table(("key", "type", "default", "meaning"), lines)


def _present(row: Row) -> str:
    return row.type if row.required else f"{row.type}; may be absent"


def _default(row: Row) -> str:
    if row.required:
        return "required"
    return "" if row.default is None else code(row.default)


def _kind(schema: Schema, part: Part) -> str:
    definition = _definition(schema, part)
    if definition is not part:
        if "properties" in definition or ("oneOf" in definition and _NULL not in definition["oneOf"]):
            return link(schema.title(_name(part)), schema.heading(_name(part)))
        return in_words(schema, definition)
    if "const" in part:
        return code(part["const"])
    if "enum" in part:
        return ", ".join(code(value) for value in part["enum"] if value is not None)
    (kind,) = (each for each in types(part) if each != "null")
    if kind in _KINDS:
        return _KINDS[kind](schema, part)
    return kind


def _string(_schema: Schema, part: Part) -> str:
    if "x-allowed" in part:
        return prose(part["x-allowed"])
    if "format" in part:
        return _FORMATS[part["format"]]
    return f"text like {code(part['pattern'])}" if "pattern" in part else "text"


def _number(_schema: Schema, part: Part) -> str:
    kind = part["type"] if isinstance(part["type"], str) else part["type"][0]
    limits = ""
    if "maximum" in part:
        limits = f", {part['minimum']} to {part['maximum']}"
    elif "minimum" in part:
        limits = f", {part['minimum']} or more"
    elif "exclusiveMinimum" in part:
        limits = f", more than {part['exclusiveMinimum']}"
    unit = part.get("x-unit", "none")
    return f"{kind}{limits}" if unit == "none" else f"{kind}{limits}, {unit}"


def _array(schema: Schema, part: Part) -> str:
    least, most = part.get("minItems", 0), part.get("maxItems")
    if most is None:
        count = f" of {least} or more" if least else ""
    else:
        count = (
            f" of {most}" if least == most else f" of {least} to {most}" if least else f" of {most} at most"
        )
    return f"list{count}: {in_words(schema, part['items'])}"


def _object(schema: Schema, part: Part) -> str:
    others = part.get("additionalProperties")
    if "properties" in part or not isinstance(others, dict):
        return "mapping"
    return f"mapping by name: {in_words(schema, others)}"


_KINDS = {"string": _string, "integer": _number, "number": _number, "array": _array, "object": _object}


def _name(part: Part) -> str:
    """The name among the `$defs` that a part refers to; '' where it refers to none."""
    return str(part.get("$ref", "")).removeprefix("#/$defs/")


def _definition(schema: Schema, part: Part) -> Part:
    return schema.part(_name(part)) if _name(part) else part


def types(part: Part) -> list[str]:
    """The types that a part names."""
    kind = part.get("type", [])
    return [kind] if isinstance(kind, str) else list(kind)


def _without_null(part: Part) -> Part:
    """The part itself, or the one thing that it is where it is not null."""
    if _NULL not in part.get("oneOf", ()):
        return part
    (one,) = (each for each in part["oneOf"] if each != _NULL)
    found: Part = one
    return found
