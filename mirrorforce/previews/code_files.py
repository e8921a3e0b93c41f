"""Which files differ between two trees of the project, below some of their folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce import fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mirrorforce.previews.configuration import Kind


def changed(before: Path, after: Path, parts: Iterable[str]) -> dict[str, Kind]:
    """Files that `after` has anew, otherwise, or no more, by their paths in the tree. Reads them all."""
    found: dict[str, Kind] = {}
    for part in parts:
        old, new = (
            {str(file.relative_to(tree)): file for file in fingerprint.files_of(tree / part)}
            for tree in (before, after)
        )
        for path in sorted({*old, *new}):
            if path not in old:
                found[path] = "added"
            elif path not in new:
                found[path] = "removed"
            elif old[path].read_bytes() != new[path].read_bytes():
                found[path] = "changed"
    return found
