"""What is gathered about a repetition: journals, names, volumes, what the primary counts, final contents.

The edge: everything here asks hosts; what follows from the answers is said elsewhere.
"""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mirrorforce import remote
from mirrorforce.drills import journal, stages
from mirrorforce.drills.conditions import Counted, Seen
from mirrorforce.drills.violation import Violation, ViolationKind
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import application, comparison, final_state, member_sql
from mirrorforce.operations.application import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mirrorforce.drills.actions import Context
    from mirrorforce.drills.final import FinalState
    from mirrorforce.drills.history import History, Way
    from mirrorforce.drills.measure import Measures
    from mirrorforce.drills.stages import Mark, Stage
    from mirrorforce.operations.workload import Clients

BEFORE_FAULT_SECONDS = 2.0
VOLUME_EVERY = 2.0

_JOURNAL_SECONDS = 30.0
_COUNTED = """
select coalesce(current_setting('synchronous_standby_names'), '');
select slot_name from pg_replication_slots;
"""
_NAMES = re.compile(r'"([^"]+)"')
_NAME_WATCHER = "mirrorforce.onhost.name_watcher"


@dataclass
class Watched:
    """What is watched while a repetition runs: the name at the resolver, and the primary's WAL volume."""

    ctx: Context
    cell: str
    seconds: float
    fullest: float | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def _names(self) -> Unit:
        host = application.host_of(self.ctx.inventory)
        return Unit(journal.NAME.removesuffix(".service"), host, self.seconds)

    def start(self, volumes: bool) -> None:  # noqa: FBT001 (the only thing there is to choose)
        """Begin; `volumes`: look at the WAL volume as well."""
        name = f"{self.cell}.{self.ctx.estate.domain}"
        line = ["python3", "-m", _NAME_WATCHER, name, "--seconds", f"{self.seconds:.0f}"]
        self._names.stop(self.ctx.ws)  # of a drill that was killed
        self._names.start(self.ctx.ws, line)
        if volumes:
            thread = threading.Thread(target=self._look_at_volume, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End; may be called again."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._names.stop(self.ctx.ws)

    def _look_at_volume(self) -> None:
        """The WAL volume of whoever says that it is primary; a host that does not answer has no say."""
        members = [host.name for host in self.ctx.inventory.of_cell(self.cell)]
        while not self._over.wait(VOLUME_EVERY):
            shares = [share for member in members if (share := self._share_if_primary(member)) is not None]
            self.fullest = max([*shares, *([] if self.fullest is None else [self.fullest])], default=None)

    def _share_if_primary(self, member: str) -> float | None:
        mount = self.ctx.mount(member, "wal")
        script = (
            "sudo -n runuser -u postgres -- psql -XAtq -d postgres -c 'select pg_is_in_recovery()'; "
            f"df --output=pcent {mount} | tail -n 1"
        )
        result = remote.run(self.ctx.ws, member, script, timeout=5.0)
        recovering, _, share = result.stdout.partition("\n")
        return float(share.strip().rstrip("%")) if result.ok and recovering.strip() == "f" else None


def with_counted(ctx: Context, seen: Seen) -> Seen:
    """The same with what the primary counts on, where one can be asked."""
    if seen.leader is None:
        return seen
    try:
        printed = member_sql.ask(ctx.ws, seen.leader, "postgres", _COUNTED, timeout=5.0)
    except MirrorforceError:
        return seen
    names, *slots = printed.splitlines()
    members = {host.name.replace("-", "_"): host.name for host in ctx.inventory.of_cell(seen.cell)}
    return replace(
        seen,
        counted=Counted(
            synchronous=frozenset(_NAMES.findall(names)),
            slots=frozenset(members[slot] for slot in slots if slot in members),
        ),
    )


def finals(ctx: Context, cell: str, primary: str | None, clients: Clients) -> dict[str, FinalState]:
    """What every member holds of what these clients wrote."""
    if primary is None:
        raise MirrorforceError(f"{cell} has no primary after the heal", f"mirrorforce status {ctx.ws.env}")
    return final_state.of_members(ctx.ws, ctx.inventory, ctx.estate.cell(cell), primary, clients.run)


def differences(ctx: Context, cell: str, primary: str | None) -> tuple[Violation, ...]:
    """Tables (pgbench's among them) whose content is not the same on every member."""
    if primary is None:
        return ()
    compared = comparison.compare(ctx.ws, ctx.inventory, ctx.estate.cell(cell), primary)
    return tuple(Violation(ViolationKind.MEMBERS_DIFFER, said) for said in compared.differences)


def marks(ctx: Context, cell: str, history: History, fault: Mark, measures: Measures) -> tuple[Mark, ...]:
    """What hosts and clients tell of the outage, from a moment before the fault on.

    Members of other cells are not asked: Patroni's words name no cell.
    """
    fault_at = fault.at
    since = fault_at - BEFORE_FAULT_SECONDS
    command = ["sudo", "-n", *journal.command(since)]
    hosts = [host.name for host in ctx.inventory.hosts if host.cell in {None, cell}]
    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        answers = pool.map(lambda host: remote.run(ctx.ws, host, command, timeout=_JOURNAL_SECONDS), hosts)
        told = [
            mark
            for host, answer in zip(hosts, answers, strict=True)
            for mark in journal.marks(host, answer.stdout.splitlines(), cell=cell)
        ]
    by_clients = {
        mark
        for outage in measures.outages.values()
        for mark in stages.marks_from_history(history, fault_at, outage)
    }
    return tuple(sorted([fault, *told, *by_clients], key=lambda mark: mark.at))


def stages_by_way(
    found: Iterable[Mark], fault_at: float, measures: Measures
) -> Mapping[Way, tuple[Stage, ...]]:
    """Where the seconds went, for the clients of each way."""
    known = tuple(found)
    return {way: stages.stages(known, fault_at, outage, way=way) for way, outage in measures.outages.items()}
