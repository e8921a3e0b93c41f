"""Every generated page of docs/reference, by its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce.workspace import ROOT
from toolchain.reference import command_line, drills, markdown, prices, roles, schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

FOLDER = ROOT / "docs" / "reference"

REPORTS = ("status", "verify", "drift-report", "drill-report", "preview-report", "secrets")
"""The schemas of reports, in the order in which an owner meets them."""


def _estate_file() -> str:
    text = (FOLDER / "estate-file.md").read_text(encoding="utf-8")
    keys = ("## Keys", *schemas.sections(schemas.read("estate"), "person"))
    return markdown.within(text, "schemas/estate.schema.json", *keys)


def _drill_file() -> str:
    text = (FOLDER / "drill-file.md").read_text(encoding="utf-8")
    return markdown.within(text, drills.SOURCE, *drills.sections())


def _reports() -> str:
    return markdown.page("Reports", "the schemas of schemas/", *_report_sections())


def _report_sections() -> Iterator[str]:
    known = {name: schemas.read(name, name.removesuffix("-report").capitalize()) for name in REPORTS}
    yield (
        "What verbs write for programs: JSON, valid against a schema (JSON Schema 2020-12). Every field is "
        "there in each report unless it says that it may be absent. `version` grows when a reader would have "
        "to change."
    )
    yield "\n".join(
        f"- {markdown.link(schema.scope)}: {schema.document['title']}" for schema in known.values()
    )
    for name, schema in known.items():
        path = f"schemas/{name}.schema.json"
        yield f"## {schema.scope}"
        yield f"{schema.document['description']} Its schema: [{path}](../../{path})."
        yield from schemas.sections(schema, "program")


def _inventory() -> str:
    schema = schemas.read("inventory")
    return markdown.page(
        "Inventory",
        "schemas/inventory.schema.json",
        schema.document["description"],
        *schemas.sections(schema, "program", level=2),
    )


PAGES: Mapping[Path, Callable[[], str]] = {
    FOLDER / "command-line.md": command_line.text,
    FOLDER / "estate-file.md": _estate_file,
    FOLDER / "drill-file.md": _drill_file,
    FOLDER / "reports.md": _reports,
    FOLDER / "inventory.md": _inventory,
    FOLDER / "roles.md": lambda: markdown.page("Roles", roles.SOURCE, *roles.sections()),
    FOLDER / "aws-prices.md": lambda: markdown.page("Prices of AWS", prices.SOURCE, *prices.sections()),
}
