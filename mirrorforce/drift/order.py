"""In which order mends are carried out, so that no cell ever misses more than one member. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from mirrorforce.drift.finding import Finding
    from mirrorforce.estate import Host


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. Stacks first, sites before the interconnect; then wave after wave of hosts.

    waves: hosts that are worked on at the same time: of each cell one member, standbys before primaries.
    copies: members that are copied anew. converge: those that are converged. acts: what each host is told.
    restarts: members, in their order.
    """

    stacks: tuple[str, ...]
    waves: tuple[tuple[str, ...], ...]
    copies: frozenset[str]
    converge: frozenset[str]
    acts: Mapping[str, tuple[Mapping[str, Any], ...]]
    restarts: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether there is nothing that can be done."""
        return not (self.stacks or self.waves or self.restarts)


def plan(
    findings: Iterable[Finding],
    hosts: Sequence[Host],
    primaries: Collection[str],
    *,
    agreed: bool,
    stale: Collection[str] = (),
    without_wal: Collection[str] = (),
) -> Plan:
    """The plan for these findings; without an agreement, of those alone that nobody notices.

    A host is not converged at all where something that converge would do to it was not agreed to.
    `stale`: hosts to converge whatever was found, since they are new or were converged to something else.
    `without_wal`: members that were not found so: what their stack made anew has no WAL on it.
    """
    chosen = [finding for finding in findings if agreed or not finding.mend.disruptive]
    refused = {
        finding.mend.where
        for finding in findings
        if finding.mend.by in {"converge", "copy"} and finding.mend.disruptive and not agreed
    }
    refused |= set() if agreed else set(without_wal)
    stacks = {finding.mend.where for finding in chosen if finding.mend.by == "stack"}
    converge = {finding.mend.where for finding in chosen if finding.mend.by == "converge"} | set(stale)
    converge -= refused
    acts: dict[str, list[Mapping[str, Any]]] = {}
    for finding in chosen:
        if finding.mend.by == "host" and finding.mend.act not in acts.setdefault(finding.mend.where, []):
            acts[finding.mend.where].append(finding.mend.act)
    copies = {finding.mend.where for finding in chosen if finding.mend.by == "copy"}
    copies |= set(without_wal) if agreed else set()
    restarts = {finding.mend.where for finding in chosen if finding.mend.by == "restart"}
    return Plan(
        tuple(sorted(stacks, key=lambda name: (name.endswith("-interconnect"), name))),
        waves(hosts, converge | set(acts) | copies, primaries),
        frozenset(copies),
        frozenset(converge),
        {host: tuple(each) for host, each in acts.items()},
        tuple(sorted(restarts, key=lambda name: (name in primaries, name))),
    )


def waves(
    hosts: Sequence[Host], wanted: Collection[str], primaries: Collection[str]
) -> tuple[tuple[str, ...], ...]:
    """The wanted hosts in waves: two members of a cell never at once, nor two voters; primaries last."""
    left = sorted((host for host in hosts if host.name in wanted), key=lambda host: host.name in primaries)
    found: list[tuple[str, ...]] = []
    while left:
        busy: set[str] = set()
        wave = []
        with_standbys = {host.cell for host in left if host.cell and host.name not in primaries}
        for host in left:
            group = host.cell or host.role
            if host.role != "application":
                if group in busy or (host.name in primaries and host.cell in with_standbys):
                    continue
                busy.add(group)
            wave.append(host)
        left = [host for host in left if host not in wave]
        found.append(tuple(host.name for host in wave))
    return tuple(found)
