"""The drill report in files: JSON, JUnit, the page; and reports of earlier nights read again. The edge."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from mirrorforce.drills import junit
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.lab import files
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Document = dict[str, Any]
SCHEMA = ROOT / "schemas" / "drill-report.schema.json"


def write(
    report: Document,
    *,
    as_json: Path | None = None,
    as_junit: Path | None = None,
    as_html: Path | None = None,
) -> None:
    """Write the report to the files that were asked for, each whole or not at all; or a MirrorforceError."""
    if as_json:
        write_text(as_json, json.dumps(report, ensure_ascii=False) + "\n")
    if as_junit:
        write_text(as_junit, junit.document(report))
    if as_html:
        write_text(as_html, page(report))


def page(report: Document) -> str:
    """The page. matplotlib takes a second to load, and is loaded here alone."""
    try:
        html = importlib.import_module("mirrorforce.drills.html")
    except ModuleNotFoundError as fault:
        message = f"the page needs {fault.name}, which is not installed"
        raise MirrorforceError(message, "make setup") from fault
    return str(html.page(report))


def read(paths: Iterable[Path]) -> tuple[Document, ...]:
    """The reports in these files; BadInputError where one is none."""
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> Document:
    try:
        report: Document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise BadInputError(f"{path} is no drill report: {fault}") from fault
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    if wrong := next(Draft202012Validator(schema).iter_errors(report), None):
        raise BadInputError(
            f"{path} is no drill report of this version: {wrong.json_path}: {wrong.message[:200]}",
            "mirrorforce drill run --json writes one",
        )
    return report


def write_text(path: Path, text: str) -> None:
    """Write a report's file whole or not at all; MirrorforceError where that is not possible."""
    try:
        files.write(path, text)
    except OSError as fault:
        raise MirrorforceError(
            f"{path} could not be written: {fault}", "another place for the report"
        ) from fault
