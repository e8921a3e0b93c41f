"""Power of hosts and sites, and orderly restarts. The lab alone: nobody else's plug is ours to pull."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mirrorforce.drills import ledger
from mirrorforce.drills.acts import Act, Verb
from mirrorforce.lab import estate as lab
from mirrorforce.lab import hosts
from mirrorforce.operations import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mirrorforce.drills.actions.context import Context

_WHOLE_WITHIN = 240.0


def off(ctx: Context, act: Act) -> None:
    """Whole sites with switch and router, and single hosts: all at the same moment, without a goodbye."""
    name = ctx.estate.name
    single = [hosts.known(name, host) for host in _single(ctx, act)]
    _side_by_side(
        [
            *(lambda site=site: lab.power_off_site(name, site) for site in act.sites),
            lambda: hosts.power_off_together(name, single),
        ]
    )


def on(ctx: Context, act: Act) -> None:
    """Give all of them their power back; returns once ssh answers."""
    name = ctx.estate.name
    _side_by_side(
        [
            *(lambda site=site: lab.power_on_site(name, site) for site in act.sites),
            *(lambda host=host: hosts.power_on(name, host) for host in _single(ctx, act)),
        ]
    )


def restart_one_by_one(ctx: Context, act: Act) -> None:
    """Restart the hosts in good order, the next once the estate is whole again.

    MirrorforceError where it is not whole again within four minutes of a restart. A host that is down for
    its restart is in the ledger.
    """
    for host in act.hosts:
        ctx.say(f"restart {host}")
        noted = ledger.add(ctx.ws, [Act(Verb.POWER_OFF, hosts=(host,))])
        hosts.restart(ctx.estate.name, host)
        ledger.strike(ctx.ws, noted)
        waiting.until_whole(ctx.ws, ctx.estate, ctx.inventory, limit=_WHOLE_WITHIN, on_progress=ctx.say)


def _single(ctx: Context, act: Act) -> tuple[str, ...]:
    """The hosts that are meant by themselves, not as part of a site."""
    return tuple(host for host in act.hosts if ctx.site_of[host] not in act.sites)


def _side_by_side(calls: Iterable[Callable[[], object]]) -> None:
    chosen = list(calls)
    with ThreadPoolExecutor(max_workers=len(chosen)) as pool:
        for call in [pool.submit(each) for each in chosen]:
            call.result()
