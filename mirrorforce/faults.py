"""Faults of an input file, written for the person who made them."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Step = str | int
FilePath = tuple[Step, ...]

_NEAR = 0.5


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: where in the file, what was found, what is allowed, what was meant."""

    path: FilePath
    found: str
    allowed: str
    meant: str = ""
    line: int | None = None


class FileFaultsError(BadInputError):
    """A file with faults; `faults` holds every one of them, in the order of the file."""

    def __init__(self, file: str, faults: Sequence[Fault], next_step: str) -> None:
        self.file = file
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        blocks = "\n".join(_block(fault) for fault in self.faults)
        super().__init__(f"{file} has {count}.\n{blocks}", next_step)


def shown(path: FilePath) -> str:
    """A path as people write it: `links[2].between[0]`, `cells.na1.members.east`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".") or "(whole file)"


def nearest(name: str, allowed: Iterable[str]) -> str:
    """The allowed name that `name` most likely was to be, the first of equals; '' where none is near."""

    def likeness(candidate: str) -> float:
        return difflib.SequenceMatcher(None, name.lower(), candidate.lower()).ratio()

    best = max(allowed, key=likeness, default="")
    return best if likeness(best) >= _NEAR else ""


def without_echoes(later: Iterable[Fault], earlier: Iterable[Fault]) -> list[Fault]:
    """The later faults without those at a path that has one already."""
    told = {fault.path for fault in earlier}
    return [fault for fault in later if fault.path not in told]


def _block(fault: Fault) -> str:
    where = f"line {fault.line}: " if fault.line else ""
    nearest_line = f"\n    nearest: {fault.meant}" if fault.meant else ""
    return f"""
  {where}{shown(fault.path)}
    found:   {fault.found}
    allowed: {fault.allowed}{nearest_line}"""
