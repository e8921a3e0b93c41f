"""docs/reference: made of schemas, command line and roles, complete, and as they are now."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mirrorforce.workspace import ROOT
from toolchain.reference import markdown, pages, roles, schemas

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMAS = {name: schemas.read(name) for name in schemas.names()}


def parts(part: object, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping within a schema, with its path."""
    if isinstance(part, dict):
        yield path, part
        for key, inner in part.items():
            yield from parts(inner, f"{path}/{key}")
    elif isinstance(part, list):
        for index, inner in enumerate(part):
            yield from parts(inner, f"{path}/{index}")


@pytest.mark.parametrize("path", pages.PAGES, ids=lambda path: path.name)
def test_each_page_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == pages.PAGES[path](), "it is stale: make reference"


def test_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    there = {f"docs/reference/{path.name}" for path in pages.FOLDER.iterdir()}
    assert there == set(re.findall(r"\((docs/reference/[\w.-]+)\)", readme))


@pytest.mark.parametrize("path", sorted(pages.FOLDER.iterdir()), ids=lambda path: path.name)
def test_every_link_within_a_page_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    there = [re.search(r"#(.*)\)", markdown.link(heading)).group(1) for heading in headings]  # type: ignore[union-attr]
    assert set(re.findall(r"\(#([^)]+)\)", text)) <= set(there)
    assert path.name == "command-line.md" or len(there) == len(set(there))


@pytest.mark.parametrize("name", SCHEMAS)
class TestEverySchema:
    def test_is_one_and_stands_on_a_page(self, name: str) -> None:
        Draft202012Validator.check_schema(SCHEMAS[name].document)
        assert any(f"schemas/{name}.schema.json" in path.read_text() for path in pages.PAGES)

    def test_describes_every_field(self, name: str) -> None:
        schema = SCHEMAS[name]
        named = [schema.part(part) for part in schemas.named_parts(schema)]
        found = [row for part in (schema.document, *named) for row in schemas.rows(schema, part)]
        assert found
        assert [row.name for row in found if len(row.meaning) < 5] == []

    def test_says_what_every_number_counts(self, name: str) -> None:
        numbers = [
            (path, part)
            for path, part in parts(SCHEMAS[name].document)
            if {"number", "integer"} & {*schemas.types(part)}
        ]
        assert [path for path, part in numbers if not part.get("x-unit")] == []


@pytest.mark.parametrize("role", roles.names())
class TestEveryRole:
    def test_describes_every_variable_and_what_is_in_it(self, role: str) -> None:
        found = list(roles.options(role))
        assert [option.name for option in found if len(option.specification.get("description", "")) < 5] == []
        assert roles.specification(role)["short_description"]

    def test_documents_every_default_that_it_sets(self, role: str) -> None:
        documented, defaults = roles.specification(role)["options"], roles.defaults(role)
        assert defaults.keys() <= documented.keys()
        said = {name: one["default"] for name, one in documented.items() if "default" in one}
        assert said == {name: defaults[name] for name in said}


def test_a_schema_in_words() -> None:
    document = {
        "required": ["size"],
        "properties": {
            "size": {"type": ["integer", "null"], "minimum": 1, "x-unit": "MiB", "description": "How large."},
            "who": {"$ref": "#/$defs/person", "default": {}},
            "by_name": {
                "additionalProperties": {"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}},
                "type": "object",
            },
            "moments": {"type": "array", "items": {"type": "string", "format": "date-time"}, "maxItems": 3},
        },
        "$defs": {"person": {"properties": {"name": {"type": "string", "description": "For <you>."}}}},
    }
    written = "\n".join(schemas.sections(schemas.Schema(document), "person"))
    assert written.splitlines() == [
        "| key | type | default | meaning |",
        "| --- | --- | --- | --- |",
        "| `size` | integer, 1 or more, MiB; or null | required | How large. |",
        "| `who` | [a person](#a-person) | `{}` |  |",
        "| `by_name` | mapping by name: mapping |  |  |",
        "| `by_name.<name>.kind` | `a`, `b` |  |  |",
        "| `moments` | list of 3 at most: moment (ISO 8601) |  |  |",
        "### A person",
        "| key | type | default | meaning |",
        "| --- | --- | --- | --- |",
        "| `name` | text |  | For &lt;you>. |",
    ]


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_a_table_keeps_its_shape_whatever_stands_in_it(rows: list[tuple[str, str]]) -> None:
    lines = markdown.table(("one", "two"), rows).split("\n")
    assert len(lines) == 2 + len(rows)
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {3}


def test_a_page_is_made_anew_between_its_marks_alone() -> None:
    page = markdown.within(
        "before\n<!-- Made by `make reference` from x: change it there. -->\n"
        "old\n<!-- The end of what is made. -->\nafter\n",
        "y",
        r"new \1",
    )
    assert page.startswith("before\n<!-- Made by `make reference` from y: change it there. -->")
    assert r"new \1" in page
    assert "old" not in page
    assert page.endswith("\nafter\n")
    assert markdown.within(page, "y", r"new \1") == page


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="one region"):
        markdown.within("nothing is made here", "x", "new")
