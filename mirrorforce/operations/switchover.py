"""`switchover`: a planned change of a cell's primary to another site. Nothing is lost, clients pause."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirrorforce import placement, remote, timings
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.operations import names, status, status_report, switchover_ways, waiting
from mirrorforce.operations.status_problems import dns_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mirrorforce.estate import Cell, Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

ETCD_LEADER_MOVER = "etcd_leader_mover.service"
"""The unit that moves etcd's leadership away from the sites of primaries; a timer starts it, too."""

PATRONI, AGENTS = "Patroni", "failover agents"
"""Whose way a switchover went."""

SETTLED_WITHIN = 90.0
"""Seconds until everything follows; a switchover at 70 ms took 4.6 to 6.7 s, 30 times (Patroni 4.0.7)."""

AGAIN_AFTER = 10.0
"""Seconds: two loops of Patroni with the preset `default`."""

FIRST_LOOK_AFTER = 0.7
"""Seconds in which the new primary's host and those that follow it are not kept from it by questions."""

READY_AGAIN_WITHIN = 30.0
"""Seconds for a standby to be synchronous again after a fence was withdrawn: two to four were seen."""

_SYNCHRONOUS = ("quorum", "sync")


@dataclass(frozen=True, slots=True)
class Switchover:
    """What happened: from which host to which, and seconds from the order to each stage.

    changed: False where the primary was in the wanted site already. by: whose way it was.
    refused: why failover agents, where the estate has them, did not do it.
    held: seconds for which the old primary's clients waited before another member led; 0 by Patroni's way.
    writable: the new primary takes writes. followed: every DNS server answers it.
    whole: the old primary streams from it, and resolvers too answer right by both names.
    """

    cell: str
    changed: bool
    old: str
    new: str
    by: str = PATRONI
    refused: str = ""
    held: float = 0.0
    writable: float = 0.0
    followed: float = 0.0
    whole: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "cell": self.cell, "changed": self.changed, "from": self.old, "to": self.new, "by": self.by,
            "refused": self.refused,
            "seconds": {
                "held": self.held, "writable": self.writable, "followed": self.followed, "whole": self.whole,
            },
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """The members to change between; `new` is None where the primary is in the wanted site already."""

    old: str
    new: str | None


def plan(cell: Mapping[str, Any], to_site: str) -> Plan:
    """Which member is to lead, by the cell's part of a status report. Pure.

    Raises MirrorforceError where no member of the site is a healthy synchronous standby, or the cell
    has no primary (a failover is Patroni's own business).
    """
    name = cell["name"]
    if cell["primary"] is None:
        raise MirrorforceError(
            f"{name} has no primary, so there is nothing to switch over from",
            "wait for Patroni's failover: mirrorforce status --watch",
        )
    old = cell["primary"]["host"]
    if cell["primary"]["site"] == to_site:
        return Plan(old, None)
    there = [member for member in cell["members"] if member["site"] == to_site]
    # An asynchronous cell has no synchronous standby, and Patroni takes any that streams.
    needed = _SYNCHRONOUS if cell["synchronous_copies"] else (*_SYNCHRONOUS, "async")
    ready = [member for member in there if member["state"] == "streaming" and member["sync"] in needed]
    if not ready:
        found = "; ".join(
            f"{m['host']} is {m['role']}, {m['state']}, {m['sync'] or 'not counted'}" for m in there
        )
        raise MirrorforceError(
            f"no member of {name} in {to_site} is a healthy synchronous standby ({found})",
            f"make it whole first: mirrorforce status; mirrorforce converge --limit {there[0]['host']}",
        )
    return Plan(old, min(ready, key=lambda member: (member["lag_bytes"] or 0, member["host"]))["host"])


def others(cell: Mapping[str, Any], old: str, new: str) -> list[str]:
    """The standbys that are to follow another member, by the cell's part of a status report. Pure."""
    return [
        member["host"]
        for member in cell["members"]
        if member["state"] == "streaming" and member["host"] not in {old, new}
    ]


def switchover(
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    cell_name: str,
    to_site: str,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Switchover:
    """Make a member of `cell_name` in `to_site` its primary; returns when DNS and all members follow.

    Raises BadInputError for names that do not exist, MirrorforceError where the cell is in no state for
    it or does not settle within SETTLED_WITHIN seconds.
    """
    cell = names.cell(estate, cell_name)
    names.known("site", to_site, (site.name for site in estate.sites))
    if not cell.members.get(to_site):
        raise BadInputError(
            f"{cell.name} has no member in {to_site}; it has members in {', '.join(cell.members)}",
            f"mirrorforce switchover {cell.name} --to {cell.preferred_site}",
        )
    report = _look(ws, estate, inventory, cell, timeout=status.FOR_A_DECISION)
    before = status_report.cell_of(report, cell.name)
    change = plan(before, to_site)
    if change.new is None:
        return Switchover(cell.name, changed=False, old=change.old, new=change.old)
    on_progress(f"{change.old} hands {cell.name} over to {change.new}")
    by, why, held = PATRONI, "", 0.0
    if estate.fence_and_release:
        on_progress(f"first it has to have led for {timings.patroni(estate).ttl} s, and makes a checkpoint")
        try:
            by, held = AGENTS, switchover_ways.by_agents(ws, change.old, change.new)
        except switchover_ways.RefusedError as refused:
            why = str(refused)
            on_progress(f"failover agents do not do it ({why}): by Patroni's own way")
            before = _ready_again(ws, estate, inventory, cell, change)
    # Nobody waited before clients were held, neither for the guard time to end nor for a checkpoint.
    started = time.monotonic() - held
    if by == AGENTS:
        time.sleep(FIRST_LOOK_AFTER)
    elif before["primary"]["host"] != change.new:
        switchover_ways.hold(ws, estate, others(before, change.old, change.new), change.new)
        started = time.monotonic()
        try:
            switchover_ways.order(ws, cell, change.old, change.new)
        except MirrorforceError:
            if not why:
                raise
            started = _order_again(ws, estate, inventory, cell, change)
    stages, settled = _stages(ws, estate, inventory, cell, change.new, started, on_progress)
    _move_etcd_leader_away(ws, settled)
    return Switchover(cell.name, True, change.old, change.new, by, why, held, **stages)  # noqa: FBT003


def _look(
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    cell: Cell,
    *,
    members_alone: bool = False,
    timeout: float = status.ANSWER_WITHIN,
) -> dict[str, Any]:
    """A status report of the hosts that know of this cell, or of its members alone."""
    asked = [
        host.name
        for host in placement.hosts(estate)
        if host.cell == cell.name or (host.role != "database" and not members_alone)
    ]
    return status.collect(ws, estate, inventory, only=asked, timeout=timeout)


def _move_etcd_leader_away(ws: Workspace, report: Mapping[str, Any]) -> None:
    """Have etcd's leadership leave the site that has become a primary's, now and not at the next tick.

    Where it cannot be done the estate runs as before, and status says what is left.
    """
    leader = report["etcd"]["leader"]
    if leader is not None:
        remote.run(ws, leader["host"], ["sudo", "-n", "systemctl", "start", ETCD_LEADER_MOVER])


def _order_again(ws: Workspace, estate: Estate, inventory: Inventory, cell: Cell, change: Plan) -> float:
    """Right after a round that was given up Patroni may not count its standbys yet: once more.

    Returns when the order was given (monotonic clock, seconds); none is where the candidate leads by then.
    """
    time.sleep(AGAIN_AFTER)
    found = _ready_again(ws, estate, inventory, cell, change)
    started = time.monotonic()
    if change.new and found["primary"]["host"] != change.new:
        switchover_ways.order(ws, cell, change.old, change.new)
    return started


def _ready_again(
    ws: Workspace, estate: Estate, inventory: Inventory, cell: Cell, change: Plan
) -> dict[str, Any]:
    """The cell's part of a status report, once its standbys are synchronous: fences may have cost them that.

    Or once the candidate leads: where no answer came from the host, it may have been done.
    """

    def ready() -> dict[str, Any] | None:
        report = _look(ws, estate, inventory, cell, members_alone=True, timeout=status.FOR_A_DECISION)
        found = status_report.cell_of(report, cell.name)
        if found["primary"] and found["primary"]["host"] == change.new:
            return found
        synchronous = [one["host"] for one in found["members"] if one["sync"] in _SYNCHRONOUS]
        return found if {change.new, *others(found, change.old, change.new or "")} <= {*synchronous} else None

    return waiting.until(
        ready,
        limit=READY_AGAIN_WITHIN,
        otherwise=lambda: MirrorforceError(
            f"{change.new} is no synchronous standby of {cell.name} any more: nothing was changed",
            f"mirrorforce status {ws.env}",
        ),
    )


def _stages(  # noqa: PLR0913, PLR0917 (the environment, the change, and whom to tell)
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    cell: Cell,
    new: str,
    started: float,
    on_progress: Callable[[str], None],
) -> tuple[dict[str, float], dict[str, Any]]:
    """Seconds from the order to each stage, when it was first seen; the report that shows all of them."""
    reached: dict[str, float] = {}

    def settled() -> tuple[dict[str, float], dict[str, Any]] | None:
        # As long as nothing can be written, hosts that follow are not kept from it by questions.
        report = _look(ws, estate, inventory, cell, members_alone=not reached)
        found = stages_reached(status_report.cell_of(report, cell.name), new)
        seconds = round(time.monotonic() - started, 1)
        for stage in found:
            reached.setdefault(stage, seconds)
        missing = [stage for stage in STAGES if stage not in found]
        if missing:
            on_progress(STAGES[missing[0]].format(new=new, cell=cell.name))
        return None if missing else (reached, report)

    return waiting.until(
        settled,
        limit=SETTLED_WITHIN,
        otherwise=lambda: MirrorforceError(
            f"{cell.name} was handed over to {new}, but {SETTLED_WITHIN:.0f} s later not all follow it",
            f"mirrorforce status {ws.env}",
        ),
    )


STAGES = {
    "writable": "waiting until {new} takes writes",
    "followed": "waiting until every DNS server answers {new}",
    "whole": "waiting until every member of {cell} streams from {new} and both its names say so",
}


def stages_reached(cell: Mapping[str, Any], new: str) -> list[str]:
    """Which stages a cell's part of a status report shows as reached. Pure."""
    reached = []
    leads = cell["primary"] is not None and cell["primary"]["host"] == new
    synchronous = sum(member["sync"] in _SYNCHRONOUS for member in cell["members"])
    if leads and synchronous >= cell["synchronous_copies"]:
        reached.append("writable")
    answering = [answer for answer in cell["dns"]["servers"] if not answer["error"]]
    if answering and all(answer["hosts"] == [new] for answer in answering):
        reached.append("followed")
    others = [
        member for member in cell["members"] if member["host"] != new and member["state"] != "no answer"
    ]
    streaming = bool(others) and all(member["state"] == "streaming" for member in others)
    if leads and streaming and not any(dns_problems(cell, _silent(cell))):
        reached.append("whole")
    return reached


def _silent(cell: Mapping[str, Any]) -> set[str]:
    """DNS servers and resolvers that do not answer: a dead one keeps no switchover waiting."""
    names_asked = (cell["dns"], cell["dns_read_only"])
    answers = [answer for dns in names_asked for answer in (*dns["servers"], *dns["resolvers"])]
    return {answer["host"] for answer in answers if answer["error"]}
