"""Where the Pulumi engine lies: in a named cache, one folder per version of the Python SDK."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from mirrorforce.workspace import cache

if TYPE_CHECKING:
    from pathlib import Path

ENGINE_FILES = (
    "pulumi",
    "pulumi-language-python",
    "pulumi-language-python-exec",
    "pulumi-resource-pulumi-python",
)
"""What a Python program with dynamic providers needs of the engine."""


def engine_folder(engine_version: str = "") -> Path:
    """The folder of that engine version; of the installed SDK's where none is given."""
    return cache() / "engine" / f"v{engine_version or version('pulumi')}"
