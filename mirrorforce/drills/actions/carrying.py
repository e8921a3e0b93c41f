"""Which function carries out which verb, with the ledger around it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from mirrorforce.drills import ledger, words
from mirrorforce.drills.actions import cells, clocks, network, power, services, volumes
from mirrorforce.drills.actions.context import Context, SkippedError
from mirrorforce.drills.acts import Act, Verb
from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import disk_speed

if TYPE_CHECKING:
    from collections.abc import Iterable

Action: TypeAlias = Callable[[Context, Act], None]

ACTIONS: Mapping[Verb, Action] = {
    Verb.POWER_OFF: power.off,
    Verb.POWER_ON: power.on,
    Verb.KILL: services.kill,
    Verb.FREEZE: services.freeze,
    Verb.FREEZE_PATRONI: services.freeze_patroni,
    Verb.LET_AGENT_DIE: services.let_agent_die,
    Verb.FREEZE_AGENT: services.freeze_agent,
    Verb.THAW: services.thaw,
    Verb.RUN_FAST: clocks.run_wild,
    Verb.RUN_SLOW: clocks.run_wild,
    Verb.SET_RIGHT: clocks.set_right,
    Verb.PART: network.part,
    Verb.JOIN: network.join,
    Verb.ISOLATE: network.damage,
    Verb.REJOIN: network.repair,
    Verb.CUT: network.damage,
    Verb.CUT_ONE_WAY: network.damage,
    Verb.DELAY: network.damage,
    Verb.LOSE: network.damage,
    Verb.MEND: network.repair,
    Verb.FILL_WAL: volumes.fill_wal,
    Verb.EMPTY_WAL: volumes.empty_wal,
    Verb.SLOW_DISK: volumes.slow_data,
    Verb.RESTORE_DISK: volumes.restore_data,
    Verb.STOP_ETCD: services.stop_etcd,
    Verb.START_ETCD: services.start_etcd,
    Verb.STOP_DNS: services.stop_dns,
    Verb.START_DNS: services.start_dns,
    Verb.KEEP_SLOTS_FOR: cells.keep_slots_for,
    Verb.KEEP_SLOTS_AS_DECLARED: cells.keep_slots_as_declared,
    Verb.SWITCH_OVER: cells.switch_over,
    Verb.CONVERGE: cells.converge_members,
    Verb.RESTART: power.restart_one_by_one,
    Verb.WRITE_WAL: cells.write_wal,
    Verb.REINITIALISE: cells.reinitialise,
    Verb.RECOVER: cells.recover_from,
    Verb.TAKE_BACK: cells.take_back_sites,
}

_OF_THE_LAB = frozenset({
    Verb.POWER_OFF, Verb.POWER_ON, Verb.ISOLATE, Verb.REJOIN, Verb.CUT, Verb.CUT_ONE_WAY, Verb.DELAY,
    Verb.LOSE, Verb.MEND, Verb.SLOW_DISK, Verb.RESTORE_DISK, Verb.RESTART, Verb.TAKE_BACK,
    Verb.RUN_FAST, Verb.RUN_SLOW, Verb.SET_RIGHT,
})  # fmt: skip
"""What takes hold of power, wires and disks: only a lab's are ours. Clocks: its hosts carry libfaketime."""

_OF_AGENTS = frozenset({Verb.LET_AGENT_DIE, Verb.FREEZE_AGENT, Verb.RUN_FAST, Verb.RUN_SLOW})


def refusal(ctx: Context, act: Act) -> str:
    """Why the act cannot be carried out here, for a drill's report; '' where it can. Changes nothing."""
    if act.verb not in ACTIONS:
        return f"nothing here can '{act.verb}'"
    sites = {ctx.site_of[host] for host in act.hosts} | {
        *act.sites,
        *(site for link in act.links for site in link),
    }
    foreign = sorted(site for site in sites if ctx.estate.site(site).platform != "lab")
    if act.verb in _OF_THE_LAB and foreign:
        return f"'{act.verb}' needs a lab; {', '.join(foreign)} is none"
    if act.verb in _OF_AGENTS and not ctx.estate.fence_and_release:
        return f"{ctx.estate.name} has no failover agents"
    if act.verb is Verb.SLOW_DISK:
        return disk_speed.refusal()
    return ""


def carry_out(ctx: Context, act: Act) -> float:
    """Do it; returns when it is done (killed, off, cut), not when anybody has noticed.

    The answer is the moment (wall clock, seconds) at which it began to be made, with the ledger written.

    Raises SkippedError where nothing here can do it, before anything is touched; MirrorforceError where it
    failed. What may be half done then is in the ledger.
    """
    if why := refusal(ctx, act):
        raise SkippedError(why)
    if act.verb in ledger.LASTING:
        ledger.add(ctx.ws, ledger.split(act, ctx.site_of))
    began = time.time()
    ACTIONS[act.verb](ctx, act)
    ledger.strike(ctx.ws, ledger.undone_by(act, ledger.outstanding(ctx.ws)))
    return began


def undo(ctx: Context, act: Act) -> None:
    """Undo an act that lasts, whether it was made or not; nothing to do for one that does not last."""
    if act.verb in words.BREAKS:
        carry_out(ctx, replace(act, verb=words.undoing(act.verb), amount=None))


def heal(ctx: Context) -> None:
    """Undo all that the ledger holds, newest first. Can be killed and run again at any point.

    Whatever cannot be undone does not keep the rest from it; MirrorforceError names it in the end, and it
    stays in the ledger.
    """
    failed = [said for act in ledger.undoing(ledger.outstanding(ctx.ws)) if (said := _tried(ctx, act))]
    if failed:
        raise MirrorforceError(
            "not all that a drill broke could be undone:\n" + "\n".join(f"  - {said}" for said in failed),
            f"mend what is in the way, then heal again; mirrorforce up {ctx.ws.env} shows what is missing",
        )


def _tried(ctx: Context, act: Act) -> str:
    ctx.say(f"{act.verb} {', '.join(_targets(act))}")
    try:
        carry_out(ctx, act)
    except MirrorforceError as error:
        return f"{act.verb} {', '.join(_targets(act))}: {error.message}"
    return ""


def _targets(act: Act) -> Iterable[str]:
    return act.sites or act.hosts or tuple("-".join(link) for link in act.links) or (act.cell or "",)
