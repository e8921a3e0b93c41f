"""Which hosts lie over which image: symbolic links from the image to the hosts' folders.

A link whose host is gone counts for nothing, so a killed removal never keeps an image.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import TYPE_CHECKING

from mirrorforce.workspace import cache

if TYPE_CHECKING:
    from pathlib import Path

_NAME_LENGTH = 16


def folder() -> Path:
    """Where images lie, each in a folder named by the hash of its content."""
    return cache() / "image"


def _uses(image: Path) -> Path:
    return image.with_name(f"{image.name}.uses")


def _name(host: Path) -> str:
    return sha256(str(host).encode()).hexdigest()[:_NAME_LENGTH]


def add(image: Path, host: Path) -> None:
    """Note that the host in that folder lies over the image."""
    _uses(image).mkdir(mode=0o700, exist_ok=True)
    with suppress(FileExistsError):
        (_uses(image) / _name(host)).symlink_to(host)


def drop(host: Path) -> None:
    """Note that the host lies over no image any more."""
    for link in folder().glob(f"*.uses/{_name(host)}"):
        link.unlink(missing_ok=True)


def used(image: Path) -> bool:
    """Whether any host still lies over the image."""
    return any(link.exists() for link in _uses(image).glob("*"))
