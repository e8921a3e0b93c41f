"""The files that gdnsd's zone includes, one a cell, and gdnsd's own tools. Standard library only."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorforce.onhost.commands import CommandError, output_of
from mirrorforce.onhost.primary_record import record_in, zone_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirrorforce.onhost.primary_record import Record

GDNSD_CONFIG = Path("/etc/gdnsd/config")
_RELOAD_LIMIT_S = 5.0
_CHECK_LIMIT_S = 20.0


class RecordFiles:
    """The records of all cells in one folder, as gdnsd reads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, cell: str) -> Record:
        """The record on disk; the dynamic one where there is none."""
        path = self.folder / cell
        return record_in(path.read_text(encoding="utf-8")) if path.exists() else None

    def write(self, cell: str, record: Record) -> None:
        """Set the record: gdnsd reads the old line or the new one, also after a power loss."""
        handle, staged = tempfile.mkstemp(prefix=f".{cell}.", dir=self.folder)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(zone_line(cell, record))
            stream.flush()
            os.fsync(stream.fileno())
        Path(staged).chmod(0o644)
        Path(staged).replace(self.folder / cell)

    def fill(self, cells: Iterable[str]) -> None:
        """Give a dynamic record to every cell that has none: a zone with a missing file does not load."""
        for cell in cells:
            if not (self.folder / cell).exists():
                self.write(cell, None)


def reload_zones() -> None:
    """Make gdnsd read the zones; answers go on meanwhile. CommandError: it refused, or does not run."""
    output_of(["gdnsdctl", "reload-zones"], timeout=_RELOAD_LIMIT_S)


def check_config(config: Path) -> None:
    """Let gdnsd judge a configuration, without zones; CommandError."""
    with tempfile.TemporaryDirectory() as scratch:
        _check(Path(scratch), config)


def check_zone(zone: Path, name: str, folder: Path, cells: Iterable[str]) -> None:
    """Let gdnsd judge a zone under the installed configuration, with dynamic records; CommandError.

    The includes are those of a scratch folder: on a new host none exist yet, and what the dynamic record
    needs of the configuration has to be there before the day that it is put back.
    """
    with tempfile.TemporaryDirectory() as scratch:
        records = RecordFiles(Path(scratch) / "records")
        records.folder.mkdir()
        records.fill(cells)
        zones = Path(scratch) / "zones"
        zones.mkdir()
        text = zone.read_text(encoding="utf-8").replace(str(folder), str(records.folder))
        (zones / name).write_text(text, encoding="utf-8")
        _check(Path(scratch), GDNSD_CONFIG)


def _check(scratch: Path, config: Path) -> None:
    shutil.copyfile(config, scratch / "config")
    done = subprocess.run(
        ["gdnsd", "-c", str(scratch), "checkconf"],
        capture_output=True,
        text=True,
        timeout=_CHECK_LIMIT_S,
        check=False,
    )
    if done.returncode != 0:
        # All it says: the reason stands above the last line.
        raise CommandError(done.stderr.strip())
