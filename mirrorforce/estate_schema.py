"""The schema of estate files, `schemas/estate.schema.json`."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from mirrorforce import file_schema
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.faults import Fault

SCHEMA_FILE = ROOT / "schemas" / "estate.schema.json"


@cache
def schema() -> Mapping[str, Any]:
    """The schema itself."""
    document: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return document


def faults(document: Any) -> tuple[Fault, ...]:  # noqa: ANN401  (what YAML holds has no narrower type)
    """Every fault of the document against the schema."""
    return file_schema.faults(schema(), document)


def with_defaults(document: object) -> Any:  # noqa: ANN401  (what YAML holds has no narrower type)
    """A copy of the document in which the schema's defaults stand for what is absent."""
    return file_schema.with_defaults(schema(), document)
