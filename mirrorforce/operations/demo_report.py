"""What the demo found, and where it fell short. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

VERSION = 1
Document = dict[str, Any]


def build(
    *, environment: str, cell: str, site: str, time: str, seconds: float, steps: Sequence[Document]
) -> Document:
    """The demo's report: its steps, the figures that people ask for, and every shortfall in words."""
    by_name = {step["name"]: step["found"] for step in steps}
    lost, home = by_name["lose the site"], by_name["go home"]
    failover, planned = lost["cells"][cell], home["cells"][cell]
    return {
        "version": VERSION,
        "environment": environment,
        "cell": cell,
        "site": site,
        "time": time,
        "seconds": round(seconds, 1),
        "figures": {
            "failover": _figures(failover) | {"new_primary": lost["new_primary"]["host"]},
            "switchover": _figures(planned) | {"seconds": home["switchover"]["seconds"]},
            "rejoined_after_seconds": next(s["seconds"] for s in steps if s["name"] == "bring the site back"),
            "status_with_a_dead_site_seconds": lost["status_of_the_dead"]["seconds"],
        },
        "shortfalls": list(shortfalls(cell, site, by_name)),
        "steps": list(steps),
    }


def _figures(counted: Mapping[str, Any]) -> Document:
    return {
        "rpo_rows": len(counted["lost"]),
        "rto_seconds": counted["outage_seconds"],
        "acknowledged": counted["acknowledged"],
        "rejected": counted["rejected"],
        "unknown": counted["unknown"],
    }


def shortfalls(cell: str, site: str, found: Mapping[str, Document]) -> Iterator[str]:
    """Everything that is not as promised: rows lost, members that differ, a cell that did not move."""
    for name in ("compare", "compare again"):
        yield from found[name]["differences"]
        for compared in found[name]["cells"]:
            if not compared["agrees"] and not found[name]["differences"]:
                yield f"{name}: {compared['cell']} has no rows to compare"
    for name in ("lose the site", "go home"):
        for counted_cell, counted in found[name]["cells"].items():
            yield from _of_rows(f"{name}, {counted_cell}", counted)
    lost, back, home = found["lose the site"], found["bring the site back"], found["go home"]
    if lost["new_primary"]["site"] == site:
        yield f"{cell} is led from {site}, which is powered off"
    if len(lost["cells"][cell]["servers"]) < 2:  # noqa: PLR2004 (the old primary and the new one)
        yield f"the writers of {cell} never came to another server by its name"
    if back["members"].get(lost["old_primary"]) != "standby":
        yield f"{lost['old_primary']} did not rejoin {cell} as a standby"
    if not home["switchover"]["changed"]:
        yield f"{cell} was not switched over to {site}"


def _of_rows(where: str, counted: Mapping[str, Any]) -> Iterator[str]:
    if not counted["acknowledged"]:
        yield f"{where}: no row was acknowledged at all"
    if counted["lost"]:
        yield f"{where}: {len(counted['lost'])} acknowledged rows are lost, first {counted['lost'][0]}"
    if counted["impossible"]:
        there = counted["impossible"]
        yield f"{where}: {len(there)} rejected rows are there, first {there[0]}"
    if counted["outage_seconds"] is None:
        yield f"{where}: no row was acknowledged after it"
