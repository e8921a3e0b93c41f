"""Risks of an estate that are refused unless its owner accepts them by name."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce import durability
from mirrorforce.estate_reading import sequence
from mirrorforce.faults import Fault, FilePath

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from mirrorforce.durability import Statement
    from mirrorforce.estate import Cell, Estate
    from mirrorforce.estate_reading import Reading

VOTER_MAJORITY = "voter-majority-in-one-failure-domain"
DURABILITY = "durability-below-declared"
WRITES_STOP = "writes-stop-with-one-member-lost"


@dataclass(frozen=True, slots=True)
class Risk:
    """A risk that the estate runs; `cell` is '' for one of the estate as a whole."""

    name: str
    cell: str
    path: FilePath
    found: str
    allowed: str


def faults(reading: Reading, undecided: AbstractSet[str]) -> Iterator[Fault]:
    """Risks that occur and are not accepted; accepted ones that are told twice or do not occur.

    `undecided` are the cells whose declarations have faults, so that nothing can be said of their risks.
    """
    accepted = {(risk.risk, risk.subject) for risk in reading.estate.accepted_risks}
    occurring = tuple(_risks(reading, undecided))
    for risk in occurring:
        if (risk.name, risk.cell) not in accepted:
            acceptance = f"risk: {risk.name}, " + (f"cell: {risk.cell}, " if risk.cell else "") + "reason: …"
            yield Fault(risk.path, risk.found, f"{risk.allowed}; or accepted_risks: - {{{acceptance}}}")
    yield from _vain(reading, occurring, undecided)


def _risks(reading: Reading, undecided: AbstractSet[str]) -> Iterator[Risk]:
    """The risks that the estate runs, of those parts that are sound enough to tell."""
    if reading.sound("sites"):
        yield from _voter_majority(reading.estate)
    for cell in reading.estate.cells:
        if _is_decided(reading, cell.name, undecided):
            statements = durability.statements_of_cell(reading.estate, cell)
            yield from _durability(cell, statements)
            yield from _writes_stop(cell, statements)


def _is_decided(reading: Reading, name: str, undecided: AbstractSet[str]) -> bool:
    """Whether all that a cell's durability depends on is sound: the cell itself, its members' sites."""
    cell = next((cell for cell in reading.estate.cells if cell.name == name), None)
    if cell is None or name in undecided:
        return False
    return all(reading.sound("sites", site) for site in cell.members)


def _voter_majority(estate: Estate) -> Iterator[Risk]:
    voters = Counter(site.failure_domain for site in estate.mirrored_sites)
    for domain, count in voters.items():
        if count >= durability.majority(voters.total()):
            holders = " and ".join(
                site.name for site in estate.mirrored_sites if site.failure_domain == domain
            )
            yield Risk(
                VOTER_MAJORITY,
                "",
                ("sites",),
                f"{count} of {voters.total()} etcd voters in the failure domain {domain} ({holders}): "
                "where it is lost, no cell fails over",
                "no majority of the mirrored sites in one failure domain",
            )


def _durability(cell: Cell, statements: Sequence[Statement]) -> Iterator[Risk]:
    low = [statement for statement in statements if statement.acknowledges and not statement.holds]
    if low:
        worst = min(low, key=lambda statement: statement.failure_domains)
        cases = "this case" if len(low) == 1 else f"this and {len(low) - 1} more cases"
        yield Risk(
            DURABILITY,
            cell.name,
            ("cells", cell.name, "durable_failure_domains"),
            f"{cell.durable_failure_domains}, which {cases} cannot hold: {worst.text}",
            "members and synchronous_copies that hold it with any one member lost",
        )


def _writes_stop(cell: Cell, statements: Sequence[Statement]) -> Iterator[Risk]:
    if any(statement.lost and not statement.acknowledges for statement in statements):
        yield Risk(
            WRITES_STOP,
            cell.name,
            ("cells", cell.name, "members"),
            f"{sum(cell.members.values())} members: with either lost, the other acknowledges no write",
            "3 members or more",
        )


def _vain(reading: Reading, occurring: Sequence[Risk], undecided: AbstractSet[str]) -> Iterator[Fault]:
    """Accepted risks that are not there: a list that is not true is read by nobody."""
    known = {(risk.name, risk.cell) for risk in occurring}
    told: set[tuple[str, str]] = set()
    for index, entry in enumerate(sequence(reading.document.get("accepted_risks"))):
        if not reading.sound("accepted_risks", index):
            continue
        key = (entry["risk"], entry.get("cell", ""))
        if key in told:
            yield Fault(("accepted_risks", index), f"{_named(*key)} once more", "each accepted risk once")
        elif key not in known and _can_tell(reading, key[1], undecided):
            found = f"{_named(*key)}, which this estate does not run"
            yield Fault(("accepted_risks", index), found, "accepted risks that occur; remove this one")
        told.add(key)


def _can_tell(reading: Reading, cell: str, undecided: AbstractSet[str]) -> bool:
    return _is_decided(reading, cell, undecided) if cell else reading.sound("sites")


def _named(risk: str, cell: str) -> str:
    return f"{risk} of the cell {cell}" if cell else risk
