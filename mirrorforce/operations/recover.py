"""`recover`: where a majority of sites is gone for good, a cell goes on from the site that is left.

Two decisions are the owner's, not ours: that the others will not come back, and that what only they held may
be lost. `plan` refuses what is not that case; the statement says what may be lost, and without acceptance it
is all that happens. Every step looks at what is there first: a killed `recover` is run again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mirrorforce import remote
from mirrorforce.errors import BadInputError, MirrorforceError
from mirrorforce.operations import loss, names, requests, status, status_report, survivor, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from mirrorforce.estate import Cell, Estate
    from mirrorforce.inventory import Inventory
    from mirrorforce.workspace import Workspace

MODE, STRICT = "synchronous_mode", "synchronous_mode_strict"

_ORDER_SECONDS = 60.0

# Keys outlive the cluster that was lost by Patroni's ttl; clients that all log in at once take a busy machine
# a minute more.
_SETTLED_WITHIN = 240.0

# A member that was promoted after strict mode was turned off waits for nobody a few rounds of Patroni later.
_BY_ITSELF_WITHIN = 15.0
_SYNCHRONOUS = ("quorum", "sync")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left to do. leads: who is primary already, or ''. lost: the sites that are given up.

    rebuild: etcd has no majority, and is to go on from this site alone. alone: no standby confirms commits.
    """

    cell: str
    site: str
    voter: str
    lost: tuple[str, ...]
    rebuild: bool
    leads: str
    alone: bool

    @property
    def done(self) -> bool:
        """Whether nothing is left to do: etcd runs, the cell has a primary and a standby confirms."""
        return not self.rebuild and bool(self.leads) and not self.alone


@dataclass(frozen=True, slots=True)
class Recovery:
    """What came of it. changed: False where the cell ran already. statement: what was said to be at stake."""

    cell: str
    primary: str
    changed: bool
    statement: tuple[str, ...]
    lost: tuple[str, ...]


def plan(
    estate: Estate, cell: Cell, site: str, report: Mapping[str, Any], with_data: Collection[str]
) -> Plan:
    """What has to be done, by a status report and the voters that answer with data. Pure.

    Raises BadInputError where the site cannot carry the cell, and MirrorforceError where too much is left: a
    majority of voters answers, or the cell is led from elsewhere.
    """
    _require_place(estate, cell, site)
    voters = [member for member in report["etcd"]["members"] if member["site"] == site]
    if not voters or voters[0]["host"] not in with_data:
        raise MirrorforceError(
            f"etcd's voter in {site} does not answer, or holds no data: there is nothing to go on from there",
            _elsewhere(cell, report, with_data),
        )
    found = status_report.cell_of(report, cell.name)
    runs = report["etcd"]["leader"] is not None and voters[0]["healthy"]
    leads = _leader(found, site) if runs else ""
    _require_lost(estate, cell, report, with_data, leads=leads)
    return Plan(
        cell=cell.name,
        site=site,
        voter=voters[0]["host"],
        lost=_lost(estate, report, with_data, site),
        rebuild=not runs,
        leads=leads,
        alone=not any(member["sync"] in _SYNCHRONOUS for member in found["members"]),
    )


def _require_place(estate: Estate, cell: Cell, site: str) -> None:
    names.known("site", site, (each.name for each in estate.sites))
    fit = [each.name for each in estate.mirrored_sites if cell.members.get(each.name)]
    if site not in fit:
        raise BadInputError(
            f"{cell.name} cannot go on from {site}: it needs a voter of etcd and a member of the cell; "
            f"there are both in {', '.join(fit) or 'no site'}",
            f"mirrorforce recover {cell.name} --from {fit[0]}" if fit else "",
        )


def _elsewhere(cell: Cell, report: Mapping[str, Any], with_data: Collection[str]) -> str:
    sites = [
        one["site"]
        for one in report["etcd"]["members"]
        if one["host"] in with_data and cell.members.get(one["site"])
    ]
    return f"mirrorforce recover {cell.name} --from {sites[0]}" if sites else "mirrorforce status"


def _leader(found: Mapping[str, Any], site: str) -> str:
    primary = found["primary"]
    if primary is None:
        return ""
    if primary["site"] != site:
        name = found["name"]
        raise MirrorforceError(
            f"{name} has a primary, {primary['host']}, and etcd a majority: there is nothing to recover",
            f"mirrorforce switchover {name} --to {site}",
        )
    return str(primary["host"])


def _require_lost(
    estate: Estate, cell: Cell, report: Mapping[str, Any], with_data: Collection[str], *, leads: str
) -> None:
    """MirrorforceError while a majority of voters answers: it decides by itself. Not where the cell runs."""
    total = len(estate.mirrored_sites)
    if leads or len(with_data) <= total // 2:
        return
    healthy = [member["host"] for member in report["etcd"]["members"] if member["healthy"]]
    doing = (
        f"wait for {cell.name}'s failover, which is Patroni's own business: mirrorforce status --watch"
        if healthy
        else f"mirrorforce up {report['environment']} starts etcd where it does not run"
    )
    raise MirrorforceError(
        f"not too much is lost: {len(with_data)} of {total} voters answer ({', '.join(sorted(with_data))}), "
        "a majority, and whatever they hold must not be given up",
        doing,
    )


def _lost(
    estate: Estate, report: Mapping[str, Any], with_data: Collection[str], site: str
) -> tuple[str, ...]:
    """The mirrored sites that do not go on: all whose voter is no healthy one of this cluster."""
    going_on = {
        member["site"]
        for member in report["etcd"]["members"]
        if member["healthy"] and member["host"] in with_data
    }
    return tuple(
        each.name for each in estate.mirrored_sites if each.name != site and each.name not in going_on
    )


def recover(  # noqa: PLR0913 - the environment, what and from where, and whom to tell
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    cell_name: str,
    site: str,
    *,
    accept_loss: bool,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Recovery:
    """Let the cell go on from this site alone; returns once it acknowledges writes there.

    Raises BadInputError with the statement where the loss is not accepted, MirrorforceError where it is not
    the case for it or a step fails. Run again it goes on from what is there.
    """
    cell = names.cell(estate, cell_name)
    on_progress("who answers")
    todo = _look(ws, estate, inventory, cell, site)
    if todo.done:
        return Recovery(cell.name, todo.leads, changed=False, statement=(), lost=todo.lost)
    said, candidate = _statement(ws, inventory, todo)
    if not accept_loss:
        raise BadInputError(
            f"what recovering {cell.name} from {site} means; nothing has been changed:\n"
            + "\n".join(f"  - {line}" for line in said),
            f"if {', '.join(todo.lost)} are gone for good: mirrorforce recover {cell.name} --from {site} "
            f"--accept-loss --env {ws.env}; if not, give them power again",
        )
    for line in said:
        on_progress(line)
    if todo.rebuild:
        on_progress(f"etcd goes on from {todo.voter}")
        survivor.rebuild(ws, estate, inventory.host(todo.voter))
    # Also where an earlier run rebuilt it, and was killed before this.
    survivor.log_in_anew(ws, inventory.of_site(todo.site))
    _acknowledge_alone(ws, todo, candidate, on_progress)
    primary = _lead(ws, estate, inventory, todo, candidate, on_progress)
    _acknowledges(ws, todo, primary, on_progress)
    return Recovery(cell.name, primary, changed=True, statement=said, lost=todo.lost)


def _look(ws: Workspace, estate: Estate, inventory: Inventory, cell: Cell, site: str) -> Plan:
    _require_place(estate, cell, site)
    with_data = survivor.voters_with_data(ws, inventory.of_role("control"))
    report = status.collect(ws, estate, inventory, timeout=status.FOR_A_DECISION)
    return plan(estate, cell, site, report, with_data)


def _statement(ws: Workspace, inventory: Inventory, todo: Plan) -> tuple[tuple[str, ...], str]:
    """What may be lost, and the member to go on from: the one in the site that holds most."""
    members = inventory.of_cell(todo.cell)
    known = survivor.positions(ws, members)
    here = [one for one in known if one.site == todo.site]
    if not here:
        raise MirrorforceError(
            f"no member of {todo.cell} in {todo.site} answers: there are no rows to go on with",
            f"mirrorforce ssh {next(host.name for host in members if host.site == todo.site)} "
            "journalctl -u patroni -n 50",
        )
    words = survivor.heard(ws, inventory.host(todo.voter), todo.cell)
    said = loss.statement(todo.cell, words, known, todo.site, todo.lost)
    return said, todo.leads or loss.best(here).host


def _acknowledge_alone(ws: Workspace, todo: Plan, candidate: str, on_progress: Callable[[str], None]) -> None:
    """Strict mode would hold every commit of a primary without a standby: it is off until one streams."""
    if todo.alone:
        on_progress(f"{todo.cell} is let acknowledge writes with one copy")
        _configure(ws, todo, candidate, STRICT, "false")


def _configure(ws: Workspace, todo: Plan, host: str, setting: str, value: str) -> None:
    """Change the cell's dynamic configuration; no change where it is so already."""
    line = [
        *requests.PATRONICTL, "edit-config", todo.cell, "--force", "--quiet", "--set", f"{setting}={value}",
    ]  # fmt: skip
    said: list[str] = []

    def done() -> bool | None:
        result = remote.run(ws, host, line, timeout=_ORDER_SECONDS)
        said[:] = [result.reason]
        return result.ok or None

    waiting.until(
        done,
        limit=_SETTLED_WITHIN,
        every=2.0,
        otherwise=lambda: MirrorforceError(
            f"Patroni on {host} could not change {todo.cell}'s configuration: {said[0]}",
            f"mirrorforce ssh {host} journalctl -u patroni -n 50; then the same command again",
        ),
    )


def _lead(
    ws: Workspace,
    estate: Estate,
    inventory: Inventory,
    todo: Plan,
    candidate: str,
    on_progress: Callable[[str], None],
) -> str:
    """Give Patroni the order to fail over until a member leads: who it is."""
    order = [*requests.PATRONICTL, "failover", todo.cell, "--candidate", candidate, "--force"]
    asked = [todo.voter, *(host.name for host in inventory.of_cell(todo.cell))]

    def leads() -> str | None:
        report = status.collect(ws, estate, inventory, only=asked, timeout=status.FOR_A_DECISION)
        found = status_report.cell_of(report, todo.cell)
        if found["primary"] is None:
            on_progress(f"{candidate} is to lead {todo.cell}")
            remote.run(ws, candidate, order, timeout=_ORDER_SECONDS)
            return None
        return str(found["primary"]["host"])

    return waiting.until(
        leads,
        limit=_SETTLED_WITHIN,
        every=1.0,
        otherwise=lambda: MirrorforceError(
            f"{candidate} does not lead {todo.cell} after {_SETTLED_WITHIN:.0f} s",
            f"mirrorforce ssh {candidate} journalctl -u patroni -n 50; then the same command again",
        ),
    )


def _acknowledges(ws: Workspace, todo: Plan, primary: str, on_progress: Callable[[str], None]) -> None:
    """Returns once commits come back.

    Where the primary led in strict mode before that was turned off, Patroni (4.0.7) leaves it waiting for
    any standby: turning synchronous mode off, and on again, lets it go. On again also where an earlier run
    was killed between the two.
    """
    on_progress(f"{primary} leads {todo.cell}; waiting until its commits wait for nobody")
    if not _commits_come_back(ws, primary, _BY_ITSELF_WITHIN) and todo.alone:
        _configure(ws, todo, primary, MODE, "false")
    came = _commits_come_back(ws, primary, _SETTLED_WITHIN)
    if todo.alone:
        _configure(ws, todo, primary, MODE, "quorum")
    if not came:
        raise MirrorforceError(
            f"{primary} leads {todo.cell}, but its commits wait for a standby",
            f"mirrorforce ssh {primary} journalctl -u patroni -n 50; then the same command again",
        )


def _commits_come_back(ws: Workspace, primary: str, limit: float) -> bool:
    deadline = time.monotonic() + limit
    while not (came := survivor.acknowledges(ws, primary)) and time.monotonic() < deadline:
        time.sleep(1.0)
    return came
