"""`bind`: a drill's words to the hosts, sites and links of one estate, as a repetition finds it. Pure.

Only `the new primary` stays a word: `met` puts it in, once it is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mirrorforce.drills import cast as casting
from mirrorforce.drills import meanings
from mirrorforce.drills.acts import NEW_PRIMARY, Act, Verb, WaitUntil
from mirrorforce.drills.drill import ActStep, WaitUntilStep
from mirrorforce.drills.meanings import Meant
from mirrorforce.errors import BadInputError, MirrorforceError

if TYPE_CHECKING:
    from mirrorforce.drills.acts import BoundStep
    from mirrorforce.drills.cast import Cast, Facts
    from mirrorforce.drills.drill import Drill, Step
    from mirrorforce.estate import Estate

_OF_THE_CELL = frozenset({
    Verb.SWITCH_OVER, Verb.REINITIALISE, Verb.WRITE_WAL, Verb.KEEP_SLOTS_FOR, Verb.KEEP_SLOTS_AS_DECLARED,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class BoundDrill:
    """A drill with the names of one cell's repetition.

    fault: the index in `steps` of the act that measuring counts from.
    clients_also_at: hosts with clients of their own, beside the application host.
    """

    drill: Drill
    cell: str
    steps: tuple[BoundStep, ...]
    fault: int
    clients_also_at: tuple[str, ...]


def cells(drill: Drill, estate: Estate) -> tuple[str, ...]:
    """The cells that the drill runs for: all of them, or the first."""
    names = tuple(cell.name for cell in estate.cells)
    return names if drill.every_cell else names[:1]


def bind(drill: Drill, estate: Estate, cell: str, facts: Facts) -> BoundDrill:
    """The drill with names. `cell` is one of the estate's.

    Raises BadInputError where the estate lacks what a word needs, and MirrorforceError where the etcd
    leader is not where the drill says that it is (`cast.etcd_leader_sites`).
    """
    cast = casting.cast(estate, cell, facts)
    _check_etcd_leader(drill, estate, cast, facts)
    bound = [_bound(step, estate, cast) for step in drill.steps]
    also_at = drill.given.clients_also_at
    return BoundDrill(
        drill=drill,
        cell=cell,
        steps=tuple(step for steps in bound for step in steps),
        fault=sum(len(steps) for steps in bound[: drill.fault]),
        clients_also_at=meanings.of(also_at, estate, cast).hosts if also_at else (),
    )


def met(act: Act, new_primary: str) -> Act:
    """The act with the name of the host that leads now in place of `the new primary`."""
    return replace(act, hosts=tuple(new_primary if host == NEW_PRIMARY else host for host in act.hosts))


def _check_etcd_leader(drill: Drill, estate: Estate, cast: Cast, facts: Facts) -> None:
    given = drill.given.etcd_leader
    if given is None:
        return
    allowed = casting.etcd_leader_sites(estate, cast.cell, facts.primary, given)
    if cast.site_of[facts.etcd_leader] not in allowed:
        message = f"{drill.name} needs the etcd leader {given}, {cast.primary}; it is {facts.etcd_leader}"
        raise MirrorforceError(message, f"etcd has to be led from: {', '.join(allowed)}")


def _bound(step: Step, estate: Estate, cast: Cast) -> tuple[BoundStep, ...]:
    """The step with names; several where it is of several cells."""
    if isinstance(step, WaitUntilStep):
        return (WaitUntil(step.condition, step.within),)
    if not isinstance(step, ActStep):
        return (step,)
    target = meanings.of(step.target, estate, cast) if step.target else Meant()
    origin = meanings.of(step.origin, estate, cast) if step.origin else Meant()
    if step.verb == Verb.RECOVER:
        return tuple(Act(step.verb, sites=origin.sites, cell=cell) for cell in target.cells)
    links = target.links
    if step.verb == Verb.CUT_ONE_WAY:
        links = tuple(_from(link, origin.sites) for link in links)
    return (
        Act(
            step.verb,
            hosts=target.hosts,
            sites=target.sites,
            links=links,
            cell=cast.cell if step.verb in _OF_THE_CELL else None,
            process=step.process,
            moment=step.moment,
            amount=step.amount,
        ),
    )


def _from(link: tuple[str, str], sites: tuple[str, ...]) -> tuple[str, str]:
    """The link with the end first that the packets come from; BadInputError where it is neither of them."""
    one, other = link
    if one in sites and other not in sites:
        return link
    if other in sites and one not in sites:
        return (other, one)
    raise BadInputError(
        f"'{Verb.CUT_ONE_WAY}' on {one}-{other}, from {', '.join(sites)}: the link has not one end there",
        "name a site in which the link ends",
    )
