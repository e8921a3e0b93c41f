"""What to do when a lab resource is not as declared: nothing, mend it in place, or make it anew. Pure.

docs/adr/0003-lab-resources.md says why a host is never replaced for the sake of its image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Properties = Mapping[str, Any]

OBSERVED = frozenset({"running", "image", "host_key"})
"""Properties that are found, never declared."""

IDENTITY = {
    "Network": ("estate", "site"),
    "Host": ("estate", "site", "name"),
    "Link": ("estate", "a", "b"),
}
"""What makes a resource the one it is: a change of these makes another one."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Properties that differ from the declared ones, and those of them that only a new resource can have."""

    changed: tuple[str, ...]
    replaces: tuple[str, ...]


def difference(kind: str, found: Properties, declared: Properties) -> Difference:
    """Compare what was found with what is declared; a resource without power differs in `running`."""
    wanted = {**inputs_of(declared), "running": True}
    changed = tuple(sorted(key for key, value in wanted.items() if found.get(key) != value))
    return Difference(changed, tuple(key for key in IDENTITY[kind] if key in changed))


def inputs_of(properties: Properties) -> dict[str, Any]:
    """The declared ones among a resource's properties."""
    return {key: value for key, value in properties.items() if key not in OBSERVED and key[:2] != "__"}


def shrunk_volumes(found: Properties, declared: Properties) -> tuple[str, ...]:
    """What is wrong with declared volumes: a volume's file system only grows. Sizes in MiB."""
    sizes = {volume["name"]: volume["size_mib"] for volume in _volumes(found)}
    return tuple(
        f"volume {volume['name']} has {sizes[volume['name']]:g} MiB and is declared with "
        f"{volume['size_mib']:g}; a volume only grows"
        for volume in _volumes(declared)
        if volume["size_mib"] < sizes.get(volume["name"], 0)
    )


def _volumes(properties: Properties) -> Sequence[Properties]:
    return cast("Sequence[Properties]", properties.get("volumes") or ())
