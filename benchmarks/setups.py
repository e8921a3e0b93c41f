"""The setups of a cell that are compared, as data with their sources. Pure.

A setup is what Patroni keeps in etcd for the cell: its own timings and its synchronous mode, as whoever
recommends them has published them. All the rest is the estate's for each of them: PostgreSQL's parameters,
slots, pg_rewind, failover DNS, etcd, clients. So what differs in the figures is what the settings do.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirrorforce.estate import Cell, Estate

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Setup:
    """Settings of Patroni's dynamic configuration that take the place of the estate's.

    key: how the command line names it. settings: seconds and bytes, as Patroni names and counts them.
    source: where they stand. agents: failover agents act; else Patroni is alone.
    """

    key: str
    name: str
    source: str
    settings: Mapping[str, object] = field(default_factory=dict)
    agents: bool = False

    def configuration(self, declared: Mapping[str, object]) -> dict[str, object]:
        """The cell's dynamic configuration under this setup, out of the one that the estate declares."""
        return {**declared, **self.settings}

    def copies(self, cell: Cell) -> int:
        """How many synchronous copies the cell has under this setup; 0: it is asynchronous."""
        if self.settings.get("synchronous_mode", "quorum") is False:
            return 0
        return int(str(self.settings.get("synchronous_node_count", cell.synchronous_copies)))

    def estate(self, declared: Estate, cell: str) -> Estate:
        """The estate as it is when this setup is all that it is to be: `status` then counts by it.

        Agents that keep still are none: that maintenance is on is a problem of an estate that has them.
        """
        cells = (
            replace(each, synchronous_copies=self.copies(each)) if each.name == cell else each
            for each in declared.cells
        )
        agents = declared.fence_and_release and self.agents
        return replace(declared, cells=tuple(cells), fence_and_release=agents)


OURS = Setup("ours", "Mirrorforce (fast, quorum, strict)", "the estate file: preset fast, one copy")
AGENTS = Setup("agents", "Mirrorforce with failover agents", OURS.source, agents=True)
AGENTS_TWO_COPIES = Setup(
    "agents-two-copies",
    "Mirrorforce with failover agents, two copies",
    "synchronous_copies: 2",
    {"synchronous_node_count": 2},
    agents=True,
)

PATRONI = Setup(
    "patroni",
    "Patroni's defaults (30/10/10, asynchronous)",
    "Patroni 4.0.7, docs/dynamic_configuration.rst and patroni/global_config.py",
    {
        "ttl": 30,
        "loop_wait": 10,
        "retry_timeout": 10,
        "primary_start_timeout": 300,
        "maximum_lag_on_failover": MIB,
        "synchronous_mode": False,
        "synchronous_mode_strict": False,
        "failsafe_mode": False,
        "check_timeline": False,
    },
)

# pg_rpo is 1 MiB as published, and the template turns the synchronous mode on for 0 alone. The template
# does not name check_timeline, which then is Patroni's default.
_PIGSTY: Mapping[str, object] = {
    "maximum_lag_on_failover": MIB,
    "maximum_lag_on_syncnode": -1,
    "primary_stop_timeout": 30,
    "synchronous_mode": False,
    "synchronous_mode_strict": False,
    "failsafe_mode": True,
    "check_timeline": False,
}
_PIGSTY_SOURCE = (
    "pigsty 4.5.0 (commit c73d321d), roles/pgsql/defaults/main.yml: pg_rto_plan.{row}, pg_rpo; "
    "roles/pgsql/templates/oltp.yml"
)

PIGSTY_FAST = Setup(
    "pigsty-fast",
    "pigsty fast (20/5/5, asynchronous)",
    _PIGSTY_SOURCE.format(row="fast"),
    {"ttl": 20, "loop_wait": 5, "retry_timeout": 5, "primary_start_timeout": 15, **_PIGSTY},
)
PIGSTY_NORM = Setup(
    "pigsty-norm",
    "pigsty norm (30/5/10, asynchronous)",
    _PIGSTY_SOURCE.format(row="norm"),
    {"ttl": 30, "loop_wait": 5, "retry_timeout": 10, "primary_start_timeout": 25, **_PIGSTY},
)

SETUPS: Sequence[Setup] = (AGENTS, AGENTS_TWO_COPIES, OURS, PATRONI, PIGSTY_FAST, PIGSTY_NORM)
"""Those that go through drills."""

COPIES: Sequence[Setup] = (
    Setup(
        "asynchronous",
        "asynchronous",
        "Patroni's default",
        {"synchronous_mode": False, "synchronous_mode_strict": False},
    ),
    Setup("one-copy", "one synchronous copy", OURS.source, {"synchronous_node_count": 1}),
    Setup("two-copies", "two synchronous copies", "synchronous_copies: 2", {"synchronous_node_count": 2}),
)
"""Those whose commits are timed."""


def limit_ms(estate: Estate, cell: Cell, client: str, primary: str, copies: int) -> float:
    """Milliseconds that no commit can do without, by round trips alone.

    One from the client's site to the primary's, and where `copies` standbys have to confirm, one from there
    to the farthest of the nearest so many. ValueError where the cell has fewer standbys.
    """
    members = [site for site, count in cell.members.items() for _ in range(count)]
    members.remove(primary)
    if copies > len(members):
        raise ValueError(f"{cell.name} has {len(members)} standbys, not {copies}")
    away = sorted(estate.round_trip_ms(primary, site) for site in members)
    return estate.round_trip_ms(client, primary) + (away[copies - 1] if copies else 0.0)
