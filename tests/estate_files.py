"""Estate files for tests: the lab's with changes, and the faults that they make."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mirrorforce import estate_file
from mirrorforce.faults import Fault, FileFaultsError, shown
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mirrorforce.estate import Estate

LAB = ROOT / "stacks/lab.yaml"


def load_text(folder: Path, text: str) -> Estate:
    path = folder / "lab.yaml"
    path.write_text(text)
    return estate_file.load(path)


def faults_of_text(folder: Path, text: str) -> dict[str, Fault]:
    with pytest.raises(FileFaultsError) as caught:
        load_text(folder, text)
    return {shown(fault.path): fault for fault in caught.value.faults}


def load_document(folder: Path, document: dict[str, Any]) -> Estate:
    return load_text(folder, yaml.safe_dump(document, sort_keys=False))


def lab() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(LAB.read_text())
    return document


def faults(folder: Path, *changes: Callable[[dict[str, Any]], object]) -> dict[str, Fault]:
    """The faults of the lab's file after these changes, by path."""
    document = lab()
    for change in changes:
        change(document)
    return faults_of_text(folder, yaml.safe_dump(document, sort_keys=False))


def put(*path: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(document: Any) -> None:  # noqa: ANN401
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = copy.deepcopy(value)

    return change


def drop(*path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(document: Any) -> None:  # noqa: ANN401
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change
