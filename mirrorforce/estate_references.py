"""Checks of names in an estate file: that each one referred to exists, and that each one is used once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from mirrorforce import placement
from mirrorforce.estate_reading import mapping, sequence
from mirrorforce.faults import Fault, FilePath, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mirrorforce.estate_reading import Reading

RESERVED = {
    "interconnect": "the stack of the links",
    "control": "control hosts",
    "app": "application hosts",
}


class Reference(NamedTuple):
    """A place in the file that names a site or a cell."""

    path: FilePath
    name: object
    kind: Literal["site", "cell"]


class Owner(NamedTuple):
    """Something in the estate that has a name, and the place in the file that made it."""

    name: str
    what: str
    path: FilePath


def faults(reading: Reading) -> Iterator[Fault]:
    """Names that lead nowhere, and names of two things."""
    yield from _of_other_file(reading)
    yield from _unknown(reading)
    yield from _taken_twice(reading)
    yield from _slots(reading)


def _of_other_file(reading: Reading) -> Iterator[Fault]:
    name = reading.document.get("estate")
    if reading.sound("estate") and name != reading.stem:
        yield Fault(("estate",), f'text "{name}"', f"{reading.stem}, as the file is named")


def _unknown(reading: Reading) -> Iterator[Fault]:
    for reference in _references(reading):
        known = reading.names(f"{reference.kind}s")
        if isinstance(reference.name, str) and reference.name not in known:
            found = f"the {reference.kind} {reference.name}, which this file does not have"
            yield Fault(reference.path, found, _listed(known), nearest(reference.name, known))


def _references(reading: Reading) -> Iterator[Reference]:
    document = reading.document
    for index, link in enumerate(sequence(document.get("links"))):
        for end, name in enumerate(sequence(mapping(link).get("between"))):
            yield Reference(("links", index, "between", end), name, "site")
    for name, cell in mapping(document.get("cells")).items():
        yield Reference(("cells", name, "preferred_site"), mapping(cell).get("preferred_site"), "site")
        for site in mapping(mapping(cell).get("members")):
            yield Reference(("cells", name, "members", site), site, "site")
    for name, tenant in mapping(document.get("tenants")).items():
        yield Reference(("tenants", name, "cell"), mapping(tenant).get("cell"), "cell")
    for index, risk in enumerate(sequence(document.get("accepted_risks"))):
        yield Reference(("accepted_risks", index, "cell"), mapping(risk).get("cell"), "cell")


def _taken_twice(reading: Reading) -> Iterator[Fault]:
    """One fault for each entry of the file that makes a name which is taken already."""
    taken: dict[str, Owner] = {name: Owner(name, what, ()) for name, what in RESERVED.items()}
    told: set[FilePath] = set()
    for owner in _owners(reading):
        first = taken.setdefault(owner.name, owner)
        if first is not owner and owner.path not in told:
            told.add(owner.path)
            found = f"the name {owner.name} ({owner.what}), which is taken by {first.what}"
            yield Fault(owner.path, found, "names that nothing else has: of sites, cells, hosts, links")


def _owners(reading: Reading) -> Iterator[Owner]:
    """All names that commands, stacks and DNS use: one space of names, so that each means one thing."""
    estate = reading.estate
    for name in reading.names("sites"):
        yield Owner(name, f"the site {name}", ("sites", name))
    for name in reading.names("cells"):
        yield Owner(name, f"the cell {name}", ("cells", name))
        yield Owner(f"{name}-ro", f"the read-only name of the cell {name}", ("cells", name))
    for site in estate.sites:
        for host in placement.places(estate, site):
            made_by: FilePath = ("cells", host.cell) if host.cell else ("sites", site.name)
            yield Owner(host.name, f"a {host.role} host in {site.name}", made_by)


def _slots(reading: Reading) -> Iterator[Fault]:
    owner_of: dict[int, str] = {}
    for cell in reading.estate.cells:
        first = owner_of.setdefault(cell.slot, cell.name)
        if first != cell.name:
            free = next(slot for slot in range(len(owner_of) + 1) if slot not in owner_of)
            found = f"{cell.slot}, the slot of the cell {first}"
            allowed = f"a slot of its own in the address plan, for example {free}"
            yield Fault(("cells", cell.name, "slot"), found, allowed)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none, since the file has none"
