"""Bring the Pulumi engine into the cache, once per version: `python -m toolchain.setup_engine`.

Sources, in order: a `pulumi` on PATH of a fitting version, the official release, a build from Go
modules. MIRRORFORCE_PULUMI_SOURCE=path|release|go picks one outright. The engine's version is that
of the installed Python SDK, so the two cannot differ.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

from mirrorforce.engine_home import ENGINE_FILES, engine_folder
from mirrorforce.errors import BadInputError, MirrorforceError
from toolchain import go_build, official

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Say = Callable[[str], None]
    Source = Callable[[str, Path, Say], None]

SOURCES: Mapping[str, Source] = {
    "path": official.from_path,
    "release": official.from_release,
    "go": go_build.from_go_modules,
}
"""Each fills an empty folder with the engine's files, or raises MirrorforceError."""

NOTE = "SOURCE"
"""The file in the engine's folder that names the source it came from."""


def main() -> int:
    """Set the engine up and say where it is. Exit codes as everywhere (mirrorforce/errors.py)."""
    chosen = os.environ.get("MIRRORFORCE_PULUMI_SOURCE", "")
    return carry_out("engine", lambda say: set_up(version("pulumi"), chosen, say))


def carry_out(name: str, action: Callable[[Say], None]) -> int:
    """Run one set-up, with its elapsed seconds before what it says; the exit code."""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{name}  {time.monotonic() - started:6.1f} s  {text}", flush=True)

    try:
        action(say)
    except MirrorforceError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped; run it again to go on", file=sys.stderr)
        return 130
    return 0


def set_up(engine_version: str, chosen: str, say: Say) -> None:
    """Have the engine of that version in its folder; `chosen` is a source's name or ''."""
    if chosen and chosen not in SOURCES:
        raise BadInputError(
            f"MIRRORFORCE_PULUMI_SOURCE is {chosen!r}; allowed are {', '.join(SOURCES)}",
            "unset it to have them tried in this order, or set one of them",
        )
    folder = engine_folder(engine_version)
    if is_ready(folder, chosen):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with alone(folder.parent / "lock", say):
        if is_ready(folder, chosen):
            return
        _bring(engine_version, [chosen] if chosen else list(SOURCES), folder, say)
    say(f"ready: {folder}")


def is_ready(folder: Path, chosen: str) -> bool:
    """Whether the folder holds a whole engine, from the chosen source where one is chosen."""
    if not all(os.access(folder / name, os.X_OK) for name in ENGINE_FILES):
        return False
    return not chosen or (folder / NOTE).read_text().strip() == chosen


def _bring(engine_version: str, names: list[str], folder: Path, say: Say) -> None:
    """Fill a folder beside the final one and move it there whole, so that no half engine is seen."""
    reasons = []
    for name in names:
        staging = folder.with_name(f".{folder.name}.new")
        _remove(staging)
        staging.mkdir()
        try:
            SOURCES[name](engine_version, staging, say)
            _prove(staging, engine_version)
        except MirrorforceError as error:
            reasons.append(f"{name}: {error.message}")
            say(f"not from {name}: {error.message}")
            _remove(staging)
            continue
        (staging / NOTE).write_text(f"{name}\n")
        _remove(folder)
        staging.rename(folder)
        return
    raise MirrorforceError(
        "the Pulumi engine cannot be had:\n  " + "\n  ".join(reasons),
        "see docs/howto/engine.md; MIRRORFORCE_PULUMI_SOURCE=path|release|go picks a source",
    )


def _prove(staging: Path, engine_version: str) -> None:
    """Let the engine say its version; an engine that does not run is none."""
    missing = [name for name in ENGINE_FILES if not os.access(staging / name, os.X_OK)]
    if missing:
        raise MirrorforceError(f"it lacks {', '.join(missing)}")
    found = official.version_of(staging / "pulumi")
    if not official.fits(found, engine_version):
        raise MirrorforceError(f"it says it is {found or 'nothing'}, not v{engine_version}")


def _remove(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)


@contextmanager
def alone(lock: Path, say: Say) -> Iterator[None]:
    """One set-up at a time; a second one waits for it. The lock ends with its process."""
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up to end")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.SubprocessError as error:
        sys.exit(f"error: {error}")
