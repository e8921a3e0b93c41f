"""Who plays which part when a repetition begins: the primary, the standbys, the etcd leader. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce import placement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.drills.drill import EtcdLeader
    from mirrorforce.estate import Estate


@dataclass(frozen=True, slots=True)
class Facts:
    """What the estate says of itself when a repetition begins.

    primary: each cell's primary host. etcd_leader: the control host whose etcd leads.
    sync_standbys: each cell's synchronous standbys, by host, as Patroni lists them.
    """

    primary: Mapping[str, str]
    etcd_leader: str
    sync_standbys: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Cast:
    """The hosts that the words of one cell's drill mean.

    standbys: one of each site but the primary's, in the order in which a drill chooses.
    members: all of the cell, in the order of the estate file.
    """

    cell: str
    primary: str
    standbys: tuple[str, ...]
    members: tuple[str, ...]
    etcd_leader: str
    site_of: Mapping[str, str]


def cast(estate: Estate, cell: str, facts: Facts) -> Cast:
    """The parts of one cell's drill. Raises KeyError for a host that the estate has not."""
    site_of = {host.name: host.site for host in placement.hosts(estate)}
    members = tuple(host.name for host in placement.members_of_cell(estate, estate.cell(cell)))
    primary = facts.primary[cell]
    others = {site_of[host] for name, host in facts.primary.items() if name != cell}
    synchronous = facts.sync_standbys.get(cell, ())
    away = [member for member in members if site_of[member] != site_of[primary]]
    chosen = sorted(away, key=lambda member: (member not in synchronous, site_of[member] in others))
    first_of_site = {site_of[member]: member for member in reversed(chosen)}
    standbys = tuple(member for member in chosen if first_of_site[site_of[member]] == member)
    return Cast(cell, primary, standbys, members, facts.etcd_leader, site_of)


def etcd_leader_sites(
    estate: Estate, cell: str, primaries: Mapping[str, str], given: EtcdLeader
) -> tuple[str, ...]:
    """The sites that etcd may be led from, the best first: the primary's alone, or all but that one.

    primaries: each cell's primary host, as `Facts.primary`. Away from the primary, sites without any
    primary come first: that is where the estate itself moves etcd's leadership.
    """
    site_of = {host.name: host.site for host in placement.hosts(estate)}
    own = site_of[primaries[cell]]
    if given == "with the primary":
        return (own,)
    of_primaries = {site_of[host] for host in primaries.values()}
    sites = [site.name for site in estate.mirrored_sites if site.name != own]
    return tuple(sorted(sites, key=lambda site: site in of_primaries))
