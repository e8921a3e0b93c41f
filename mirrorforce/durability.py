"""What an acknowledged row survives: the durability statement of each cell.

The rules, of Patroni 4.0.7's quorum mode with `synchronous_mode_strict` (`quorum.py`,
`ha._process_quorum_replication`) and PostgreSQL's `ANY k (…)`:

- every standby that streams is listed, and k of them, whichever are first, acknowledge a commit;
- k is the smaller of `synchronous_copies` and the standbys that are left, and never below 1: with no
  standby left no commit is acknowledged;
- a new primary is elected only where all but k - 1 of the listed standbys can be asked, so that one which
  has every acknowledged row is among them.

So the number of copies says little about where they are: of all sets of k standbys, the one that lies in
the fewest failure domains is what can be promised. A standby in the primary's own failure domain adds
none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce import placement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirrorforce.estate import Cell, Estate, Host


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What is promised for a row at the moment of its acknowledgement.

    copies: hosts that have it besides the primary, at least; 0 where no commit is acknowledged.
    failure_domains: those that hold it, the primary's own counted, at least; 0 where none is acknowledged.
    """

    copies: int
    failure_domains: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What cell `cell` promises while `primary` leads and the member `lost` (None: none) is gone.

    primary, lost: host names.
    copies, failure_domains: see Guarantee; both 0 where writes stop.
    declared: failure domains that the estate file asks for.
    survives: whether the loss of the primary's whole failure domain loses no acknowledged row and another
        member takes over by itself.
    situation, promise, loss: the statement in words: who leads and who is gone; where an acknowledged row
        is; what happens when the primary's failure domain is lost as well.
    """

    cell: str
    primary: str
    lost: str | None
    copies: int
    failure_domains: int
    declared: int
    survives: bool
    situation: str
    promise: str
    loss: str

    @property
    def text(self) -> str:
        """The whole statement in words."""
        return f"{self.situation}: {self.promise}. If the primary's failure domain is lost: {self.loss}."

    @property
    def acknowledges(self) -> bool:
        """Whether commits are acknowledged at all."""
        return self.copies > 0

    @property
    def holds(self) -> bool:
        """Whether the promise is as declared."""
        return self.failure_domains >= self.declared


def guarantee(primary_domain: str, standby_domains: Sequence[str], synchronous_copies: int) -> Guarantee:
    """The promise for a primary and the standbys that are left, each given by its failure domain.

    The worst set of standbys is filled from the primary's own domain first, then from the fullest ones.
    """
    copies = min(synchronous_copies, len(standby_domains))
    if copies == 0:
        return Guarantee(0, 0)
    standbys = Counter(standby_domains)
    to_place = copies - standbys.pop(primary_domain, 0)
    reached = 1
    for _, count in standbys.most_common():
        if to_place <= 0:
            break
        to_place -= count
        reached += 1
    return Guarantee(copies, reached)


def statements(estate: Estate) -> tuple[Statement, ...]:
    """The statements of every cell, in the file's order."""
    return tuple(statement for cell in estate.cells for statement in statements_of_cell(estate, cell))


def statements_of_cell(estate: Estate, cell: Cell) -> tuple[Statement, ...]:
    """For each possible primary: at full strength, then with each other member lost in turn."""
    members = placement.members_of_cell(estate, cell)
    return tuple(
        _statement(estate, cell, members, primary, lost)
        for primary in members
        for lost in (None, *(member for member in members if member != primary))
    )


def domains(count: int) -> str:
    """So many failure domains, in words."""
    return f"{count} failure domain" if count == 1 else f"{count} failure domains"


def majority(voters: int) -> int:
    """How many of so many etcd voters are a majority."""
    return voters // 2 + 1


def etcd_outlives(estate: Estate, failure_domain: str) -> bool:
    """Whether a majority of the etcd voters stands outside this failure domain."""
    voters = [site.failure_domain for site in estate.mirrored_sites]
    return len(voters) - voters.count(failure_domain) >= majority(len(voters))


def _statement(
    estate: Estate, cell: Cell, members: Sequence[Host], primary: Host, lost: Host | None
) -> Statement:
    domain_of = {site.name: site.failure_domain for site in estate.sites}
    standbys = [member for member in members if member not in (primary, lost)]
    own_domain = domain_of[primary.site]
    standby_domains = [domain_of[standby.site] for standby in standbys]
    promise = guarantee(own_domain, standby_domains, cell.synchronous_copies)
    elsewhere = [standby for standby in standbys if domain_of[standby.site] != own_domain]
    asked = len(standbys) - promise.copies + 1
    elects = promise.copies > 0 and len(elsewhere) >= asked
    outlives = etcd_outlives(estate, own_domain)
    return Statement(
        cell=cell.name,
        primary=primary.name,
        lost=lost.name if lost else None,
        copies=promise.copies,
        failure_domains=promise.failure_domains,
        declared=cell.durable_failure_domains,
        survives=elects and outlives,
        situation=f"{primary.name} leads, {f'{lost.name} lost' if lost else 'all members up'}",
        promise=_promise(promise, primary, standbys),
        loss=_loss(own_domain, promise, elsewhere, asked, etcd=outlives),
    )


def _promise(promise: Guarantee, primary: Host, standbys: Sequence[Host]) -> str:
    if promise.copies == 0:
        return "writes stop, since no standby is left to acknowledge them"
    names = ", ".join(standby.name for standby in standbys)
    others = names if len(standbys) == promise.copies else f"{promise.copies} of {names}"
    where = f"{domains(promise.failure_domains)} at least"
    return f"an acknowledged row is on {primary.name} and {others}, in {where}"


def _loss(domain: str, promise: Guarantee, elsewhere: Sequence[Host], asked: int, *, etcd: bool) -> str:
    """What happens when the primary's failure domain goes as well."""
    if promise.copies == 0:
        return "no member is left that could take over"
    if len(elsewhere) < asked:
        return (
            f"nobody takes over by itself, since rows may be in {domain} alone "
            f"({asked} standbys must answer, {len(elsewhere)} would be left)"
        )
    if not etcd:
        return f"no acknowledged row is lost, but nobody takes over: {domain} holds the etcd majority"
    heirs = " or ".join(standby.name for standby in elsewhere)
    after = "writes go on" if len(elsewhere) > 1 else "writes wait until a second member is back"
    return f"{heirs} takes over, no acknowledged row is lost, {after}"
