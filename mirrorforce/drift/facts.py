"""From what hosts said in one round trip to findings, and to what they could not say. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirrorforce.drift import cells, cluster, hosts, seal
from mirrorforce.drift.finding import Gap

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    from mirrorforce.drift.finding import Finding
    from mirrorforce.estate import Cell, Estate, Host
    from mirrorforce.operations.probing import Probe


@dataclass(frozen=True, slots=True)
class Facts:
    """What the hosts of an estate, or of a part of it, said; `now` is when. Hosts not asked are absent."""

    estate: Estate
    hosts: Sequence[Host]
    probes: Mapping[str, Probe]
    now: dt.datetime
    renew_before_days: int

    @property
    def answering(self) -> list[Host]:
        """The hosts that said anything."""
        return [host for host in self.hosts if host.name in self.probes and self.probes[host.name].answered]

    def of(self, host: Host, section: str) -> Mapping[str, Any] | None:
        """A section of a host's facts; None where it has none, which is a gap."""
        probe = self.probes[host.name]
        return None if probe.fault(section) else probe.section(section)

    def members(self, cell: Cell) -> list[Host]:
        """The members of a cell that answer."""
        return [host for host in self.answering if host.cell == cell.name]

    def primary(self, cell: Cell) -> Host | None:
        """The one member that leads; None where none does, or none was asked, or more than one."""
        leading = [
            host
            for host in self.members(cell)
            if ((self.of(host, "patroni") or {}).get("member") or {}).get("role") in {"primary", "master"}
        ]
        return leading[0] if len(leading) == 1 else None


def findings(facts: Facts) -> Iterator[Finding]:
    """Everything that the running estate shows against the model and against the hosts' seals."""
    for host in facts.answering:
        yield from _of_host(facts, host)
    installed = {
        host.name: section["versions"]
        for host in facts.answering
        if (section := facts.of(host, "packages")) is not None
    }
    yield from hosts.versions(facts.hosts, installed)
    for cell in facts.estate.cells:
        yield from _of_cell(facts, cell)


def gaps(facts: Facts) -> Iterator[Gap]:
    """Hosts that do not answer, and what those that do could not tell."""
    for name, probe in facts.probes.items():
        if not probe.answered:
            yield Gap(name, f"does not answer: {probe.reason}", "mirrorforce status")
            continue
        for section in probe.sections:
            if fault := probe.fault(section):
                yield Gap(name, f"could not say ({section}): {fault}", f"mirrorforce ssh {name}")
        if not probe.fault("seal") and probe.section("seal").get("sealed") is None:
            yield Gap(name, "has no seal yet", f"mirrorforce converge --limit {name}")


def _of_host(facts: Facts, host: Host) -> Iterator[Finding]:
    if (section := facts.of(host, "seal")) is not None:
        yield from seal.findings(host.name, section)
    if (section := facts.of(host, "sockets")) is not None:
        yield from hosts.sockets(host, section)
    if (section := facts.of(host, "nftables")) is not None:
        yield from hosts.packet_filters(facts.estate, facts.hosts, host, section)
    if (section := facts.of(host, "certificates")) is not None:
        yield from hosts.certificates(host, section, facts.now, facts.renew_before_days)
    if host.role == "control":
        if (section := facts.of(host, "etcd_members")) is not None:
            yield from cluster.etcd_members(facts.hosts, host, section)
        if (section := facts.of(host, "dns_admin")) is not None:
            yield from cluster.dns_admin(host, section)


def _of_cell(facts: Facts, cell: Cell) -> Iterator[Finding]:
    members = facts.members(cell)
    primary = facts.primary(cell)
    declared = [host for host in facts.hosts if host.cell == cell.name]
    for host in members:
        if (section := facts.of(host, "member_data")) is not None:
            yield from cells.wal(host, section)
        overrides = facts.of(host, "overrides")
        if overrides is not None:
            yield from cells.rules(host, overrides)
        if (section := facts.of(host, "postgres")) is not None:
            altered = overrides["altered"] if overrides is not None else ()
            yield from cells.parameters(facts.estate, cell, host, section, altered)
            yield from cells.slots(declared, host, section)
    asked = primary or (members[0] if members else None)
    if asked is None:
        return
    if (section := facts.of(asked, "patroni_config")) is not None:
        yield from cells.configuration(facts.estate, cell, asked.name, section["config"])
    if primary is not None and (section := facts.of(primary, "postgres")) is not None:
        yield from cells.roles(cell, primary, section)
        if len(members) == len(declared):
            standbys = [host.name for host in members if host != primary]
            yield from cells.quorum(cell, primary, standbys, section["settings"]["synchronous_standby_names"])
