"""Names that a person typed, against those that exist: a wrong one gets the nearest right one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirrorforce.errors import BadInputError
from mirrorforce.faults import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mirrorforce.estate import Cell, Estate


def known(kind: str, name: str, names: Iterable[str]) -> str:
    """`name`, if it is one of `names`; else BadInputError with those that exist and the nearest one."""
    allowed = list(names)
    if name in allowed:
        return name
    near = nearest(name, allowed)
    raise BadInputError(
        f"there is no {kind} '{name}'; there is {', '.join(allowed) or 'none at all'}",
        f"did you mean '{near}'?" if near else "",
    )


def cell(estate: Estate, name: str) -> Cell:
    """The cell of that name; BadInputError with the nearest spelling where there is none."""
    return estate.cell(known("cell", name, (one.name for one in estate.cells)))
