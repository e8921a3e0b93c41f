"""The facts of hosts as checks use them: a section that is missing fails the check that needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mirrorforce import placement
from mirrorforce.operations import status_report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.estate import Cell, Estate, Host
    from mirrorforce.operations.verify_facts import Facts

Found = Callable[[object], None]
"""Says in the report what a check found, also where it passes."""


class Checked:
    """What a check may ask: sections of hosts' facts, and who leads by them."""

    def __init__(self, estate: Estate, facts: Facts) -> None:
        self.estate = estate
        self.hosts = placement.hosts(estate)
        self.facts = facts

    def of(self, host: Host, section: str) -> Mapping[str, Any]:
        """A section of a host's facts; AssertionError with the reason where there is none."""
        probe = self.facts.probes[host.name]
        if fault := probe.fault(section):
            raise AssertionError(f"{host.name} could not say ({section}): {fault}")
        return probe.section(section)

    def members(self, cell: Cell) -> list[Host]:
        """The member hosts of a cell."""
        return [host for host in self.hosts if host.cell == cell.name]

    def status(self) -> dict[str, Any]:
        """The same facts as a status report: who leads, who streams, what DNS answers."""
        return status_report.build(
            self.estate,
            self.hosts,
            self.facts.probes,
            environment=self.estate.name,
            time="",
            seconds=self.facts.answered - self.facts.asked,
        )

    def status_of(self, cell: Cell) -> dict[str, Any]:
        """A cell's part of the status report."""
        return status_report.cell_of(self.status(), cell.name)

    def primary(self, cell: Cell) -> Host:
        """The one host that leads the cell; AssertionError where none does, or more than one."""
        claims: list[str] = self.status_of(cell)["claims"]
        if len(claims) != 1:
            raise AssertionError(f"{len(claims)} members of {cell.name} say that they lead: {claims}")
        return next(host for host in self.hosts if host.name == claims[0])

    def standbys(self, cell: Cell) -> list[Host]:
        """The other members."""
        primary = self.primary(cell)
        return [host for host in self.members(cell) if host != primary]

    def cell_of(self, host: Host) -> Cell:
        """The cell that a database host holds; ValueError for another host."""
        if host.cell is None:
            raise ValueError(f"{host.name} holds no cell")
        return self.estate.cell(host.cell)
