"""What has to be so before a repetition begins: all whole, cells at home, etcd led from where it is to be."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mirrorforce import timings
from mirrorforce.drills import cast as casting
from mirrorforce.drills.actions import cells
from mirrorforce.drills.cast import Facts
from mirrorforce.errors import MirrorforceError
from mirrorforce.onhost import etcd_leader_mover
from mirrorforce.onhost.failover_agent.view import Pace
from mirrorforce.operations import status, switchover, waiting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirrorforce.drills.actions import Context
    from mirrorforce.drills.drill import EtcdLeader

HEALTHY_WITHIN = 30.0
"""Seconds; longer means that something is amiss that no drill may hide or make worse."""

_TWO_SEGMENTS_MIB = 32
_ORDER_SECONDS = 180.0
_LED_WITHIN = 20.0
_SYNCHRONOUS = ("quorum", "sync")


def require_healthy(ctx: Context, within: float = HEALTHY_WITHIN) -> dict[str, Any]:
    """The status of a whole estate; MirrorforceError with what is wrong where it is not whole."""
    try:
        return waiting.until_whole(ctx.ws, ctx.estate, ctx.inventory, limit=within, on_progress=ctx.say)
    except MirrorforceError as fault:
        raise MirrorforceError(
            f"a drill starts on a healthy estate only; {fault.message}", f"mirrorforce up {ctx.ws.env}"
        ) from fault


@dataclass(frozen=True)
class Home:
    """A whole estate whose cells are at home.

    report: its status. steady_at: from then on (monotonic clock, seconds) failover agents act as ever;
    sooner, their guard time may have them keep still (rule 11).
    """

    report: dict[str, Any]
    steady_at: float = 0.0


def bring_home(ctx: Context) -> Home:
    """Switch every cell over to its preferred site that is not there."""
    report = require_healthy(ctx)
    away = [cell for cell in report["cells"] if cell["primary"]["site"] != cell["preferred_site"]]
    for cell in away:
        site = cell["preferred_site"]
        switchover.switchover(ctx.ws, ctx.estate, ctx.inventory, cell["name"], site, ctx.say)
    if not away:
        return Home(report)
    guard = Pace.of(timings.patroni(ctx.estate).ttl).guard if ctx.estate.fence_and_release else 0.0
    steady_at = time.monotonic() + guard
    # An order that a killed drill left would hold etcd's leader where a primary is now.
    release_etcd_leader(ctx)
    return Home(waiting.until_whole(ctx.ws, ctx.estate, ctx.inventory, on_progress=ctx.say), steady_at)


def outrun_timelines(ctx: Context, primary: str) -> None:
    """Have the cell write two segments of WAL or more, so that drills in a row fill no standby's WAL volume.

    Each promotion leaves a segment of its own behind under a number that others have too; and what members
    keep (wal_keep_size) counts numbers, not files. Where a cell writes next to nothing between two of many
    failovers, its standbys keep them all: 38 repetitions filled a volume of 1 GiB, with segments of 16 MiB.
    """
    result = cells.emit_wal(ctx, primary, _TWO_SEGMENTS_MIB)
    if not result.ok:
        raise MirrorforceError(f"{primary} writes no WAL: {result.reason}", f"mirrorforce ssh {primary}")


def place_etcd_leader(ctx: Context, cell: str, given: EtcdLeader | None, report: Mapping[str, Any]) -> Facts:
    """Have etcd led from where the drill needs it, for three minutes at most; who is what then.

    `report` is the status of the whole estate.
    """
    facts = facts_of(report)
    if given is None:
        return facts
    sites = casting.etcd_leader_sites(ctx.estate, cell, facts.primary, given)
    if ctx.site_of[facts.etcd_leader] not in sites:
        order_etcd_leader(ctx, sites[0], _ORDER_SECONDS)

    def led() -> Facts | None:
        leader = status.collect(ctx.ws, ctx.estate, ctx.inventory)["etcd"]["leader"]
        if leader is not None and leader["site"] in sites:
            return replace(facts, etcd_leader=leader["host"])
        ctx.say(f"etcd is to be led from {' or '.join(sites)}")
        return None

    return waiting.until(
        led,
        limit=_LED_WITHIN,
        otherwise=lambda: MirrorforceError(
            f"etcd is not led from {' or '.join(sites)} after {_LED_WITHIN:.0f} s",
            f"mirrorforce ssh {facts.etcd_leader} journalctl -u {switchover.ETCD_LEADER_MOVER}",
        ),
    )


def order_etcd_leader(ctx: Context, site: str, seconds: float) -> None:
    """Let etcd be led from this site for so long; 0 seconds end an order. Hosts that are off hear nothing."""
    order = json.dumps({"site": site, "until": time.time() + seconds})
    path = etcd_leader_mover.ORDER
    look = f"systemctl start {switchover.ETCD_LEADER_MOVER}"
    script = f"printf %s '{order}' > {path}.new && mv {path}.new {path} && {look}"
    controls = [host.name for host in ctx.inventory.of_role("control")]
    ctx.on_all(ctx.with_power(controls), script, "ordering etcd's leadership")


def release_etcd_leader(ctx: Context) -> None:
    """End an order, so that etcd's leadership goes to where the estate itself wants it."""
    if any(host.role == "control" for host in ctx.inventory.hosts):
        order_etcd_leader(ctx, "", 0.0)


def facts_of(report: Mapping[str, Any]) -> Facts:
    """Who is what in a status report. MirrorforceError where a cell or etcd is led by nobody. Pure."""
    leader = report["etcd"]["leader"]
    nobody = [cell["name"] for cell in report["cells"] if cell["primary"] is None]
    if leader is None or nobody:
        raise MirrorforceError(f"{', '.join(nobody) or 'etcd'} is led by nobody", "mirrorforce status")
    return Facts(
        primary={cell["name"]: cell["primary"]["host"] for cell in report["cells"]},
        etcd_leader=leader["host"],
        sync_standbys={cell["name"]: _synchronous(cell["members"]) for cell in report["cells"]},
    )


def _synchronous(members: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(member["host"] for member in members if member["sync"] in _SYNCHRONOUS)
