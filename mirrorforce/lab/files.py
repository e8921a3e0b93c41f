"""Writing files so that a reader, or a run after a kill, sees the old or the new and nothing between."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PRIVATE = 0o600
PUBLIC = 0o644


def write(path: Path, text: str, mode: int = PUBLIC) -> None:
    """Replace the file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
    fresh.replace(path)


def write_json(path: Path, document: Mapping[str, object]) -> None:
    """Replace a JSON file that only its owner reads."""
    write(path, json.dumps(document, indent=2) + "\n", PRIVATE)


def read_json(path: Path) -> dict[str, object] | None:
    """The document, or None where there is no such file (or none that was ever written whole)."""
    try:
        return cast("dict[str, object]", json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def private_folder(path: Path) -> Path:
    """The folder, made for its owner alone where it is missing."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def open_folders(top: Path, below: Path) -> None:
    """Make the folders of the relative path `below` under `top`: for everybody to enter, whatever our umask.

    Folders that exist keep their mode.
    """
    for folder in reversed((top / below, *(top / part for part in below.parents))):
        if not folder.is_dir():
            folder.mkdir(parents=True)
            folder.chmod(0o755)


def remove_tree(path: Path) -> None:
    """Remove a folder: out of sight at once, so that a kill in between leaves no half of it in use."""
    gone = path.with_name(f".{path.name}.gone")
    if gone.exists():
        shutil.rmtree(gone)
    if path.exists():
        path.replace(gone)
        shutil.rmtree(gone)
