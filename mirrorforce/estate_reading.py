"""What could be read of an estate file that may have faults: its sound parts, typed, beside the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mirrorforce.estate import Estate
    from mirrorforce.faults import FilePath


@dataclass(frozen=True, slots=True)
class Reading:
    """A file on its way to an estate.

    document: the plain values with the schema's defaults filled in, whatever their faults.
    estate: the sites, links, cells, tenants and accepted risks that have no fault of their own.
    unsound: the paths of the faults found so far. A check asks `sound` for all that it needs, so that no
        fault is reported that is only the shadow of another.
    stem: the name of the file without its ending.
    """

    document: Mapping[str, Any]
    estate: Estate
    unsound: tuple[FilePath, ...]
    stem: str

    def sound(self, *path: str | int) -> bool:
        """Whether neither the value at this path, nor one in it, nor one around it has a fault."""
        return is_sound(self.unsound, path)

    def names(self, part: str) -> tuple[str, ...]:
        """The names in `sites`, `cells` or `tenants`, also of entries with faults."""
        return tuple(mapping(self.document.get(part)))


def is_sound(unsound: Iterable[FilePath], path: FilePath) -> bool:
    """Whether no unsound path is this one, lies in it or around it."""
    return not any(other[: len(path)] == path[: len(other)] for other in unsound)


def mapping(value: object) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """The value where it is a list, else an empty one."""
    return value if isinstance(value, list) else []
