"""Bring the checker of workflow files, actionlint, into the cache: `python -m toolchain.setup_actionlint`.

It is built from its Go modules, which go.mod and go.sum of toolchain/actionlint pin, once per content; 12 s.
The packages of that name on PyPI download a release instead. What it needs beside it for scripts in steps is
shellcheck, from Debian. `python -m toolchain.setup_actionlint where` says where it is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.workspace import cache
from toolchain import go_build
from toolchain.setup_engine import alone, carry_out

if TYPE_CHECKING:
    from collections.abc import Callable

    Say = Callable[[str], None]

MODULE = Path(__file__).resolve().parent / "actionlint"
PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"
NAME = "actionlint"
HASH_DIGITS = 16


def main(arguments: list[str]) -> int:
    """Set it up, or say where it is. Exit codes as everywhere (mirrorforce/errors.py)."""
    if arguments == ["where"]:
        print(place())
        return 0
    return carry_out(NAME, set_up)


def place() -> Path:
    """The checker of this content."""
    digest = hashlib.sha256()
    for file in sorted(MODULE.iterdir()):
        digest.update(f"{file.name}\0".encode())
        digest.update(file.read_bytes())
    return cache() / NAME / digest.hexdigest()[:HASH_DIGITS] / NAME


def set_up(say: Say) -> None:
    """Build it where it is not there. It is moved to its place whole, so that no half of it is seen."""
    target = place()
    if os.access(target, os.X_OK):
        return
    target.parent.parent.mkdir(parents=True, exist_ok=True)
    with alone(target.parent.parent / "lock", say):
        if os.access(target, os.X_OK):
            return
        say("building it from Go modules")
        staging = target.parent.with_name(f".{target.parent.name}.new")
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        go_build.build(
            MODULE, PACKAGE, staging / NAME, f"github.com/rhysd/actionlint.version={pinned()}", say
        )
        staging.rename(target.parent)
    say(f"ready: {target}")


def pinned() -> str:
    """The version that go.mod names."""
    for line in (MODULE / "go.mod").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[:1] == ["github.com/rhysd/actionlint"]:
            return words[1]
    raise MirrorforceError(f"{MODULE / 'go.mod'} does not name github.com/rhysd/actionlint")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
