"""A drill as its file says it: words, no host of any estate yet. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from mirrorforce.drills.acts import Wait

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.drills.acts import Condition, Moment, Process, Verb

Load = Literal["appends", "transfers", "lists", "readers", "pgbench", "saturation"]
Way = Literal["multi-host", "dns"]
WAYS: tuple[Way, ...] = ("multi-host", "dns")
EtcdLeader = Literal["away from the primary", "with the primary"]
Takeover = Literal["by another member", "by the same member", "there and back", "none", "any"]
Writes = Literal["go on", "stop"]


@dataclass(frozen=True, slots=True)
class ActStep:
    """Something to do to what the words mean. `amount` is in the unit that `Verb` says.

    target: the phrase of what it is done to. origin: the phrase after `from`.
    """

    verb: Verb
    target: str = ""
    origin: str = ""
    process: Process | None = None
    moment: Moment | None = None
    amount: float | None = None


@dataclass(frozen=True, slots=True)
class WaitUntilStep:
    """Wait for a condition, `within` seconds at most."""

    condition: Condition
    within: float


Step = ActStep | WaitUntilStep | Wait


@dataclass(frozen=True, slots=True)
class Given:
    """What is so before the first step.

    etcd_leader: where the etcd leader is to be; None: wherever it is.
    clients_also_at: the phrase of the host that clients run on too, beside the application host's; or ''.
    """

    load: tuple[Load, ...]
    etcd_leader: EtcdLeader | None
    clients_also_at: str


@dataclass(frozen=True, slots=True)
class Expectation:
    """What has to come true.

    lost_rows: acknowledged rows that may be lost; None: what `mirrorforce recover` said may be lost, or any.
    known_hole: rows may be lost, and all that follows from it: the drill shows a hole that is documented.
    outage: seconds, per way in, from the last acknowledgement before to the first one after.
    outage_with_agents: the same in place of it, where failover agents look after one synchronous copy.
    writes: whether they go on while the fault lasts; None: nothing is expected of that.
    wal_volume: per cent of the WAL volume of whoever is primary, never to be passed; None: not looked at.
    """

    takeover: Takeover
    lost_rows: int | None
    outage: Mapping[Way, float]
    writes: Writes | None
    wal_volume: float | None
    known_hole: bool = False
    outage_with_agents: Mapping[Way, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drill:
    """One file of `drills/`.

    every_cell: it runs once for each cell, else for the first alone. nightly: repetitions in the nightly run.
    handful: whether it is part of `make test`. fault: the index of the step that measuring counts from.
    """

    name: str
    title: str
    why: str
    every_cell: bool
    nightly: int
    handful: bool
    given: Given
    steps: tuple[Step, ...]
    expect: Expectation
    fault: int
