"""Processes on hosts: killed, frozen, stopped, started. By the names of their units: anybody finds them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mirrorforce.drills.acts import Moment, Process
from mirrorforce.errors import MirrorforceError
from mirrorforce.onhost.failover_agent import report
from mirrorforce.operations import waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mirrorforce.drills.actions.context import Context
    from mirrorforce.drills.acts import Act

PATRONI = "patroni.service"
WATCH = "patroni_watch.service"
ETCD = "etcd.service"
DNS = ("gdnsd.service", "leader_watcher.service")
AGENT = "failover_agent.service"

_UNITS: Mapping[Process, str] = {
    Process.PATRONI: PATRONI,
    Process.ETCD: ETCD,
    Process.GDNSD: "gdnsd.service",
    Process.LEADER_WATCHER: "leader_watcher.service",
}
_IF_WATCHED = f"if systemctl --quiet is-active {WATCH}; then"
"""A host that stands still has nobody who watches."""

_SAID: Mapping[Moment, str] = {
    Moment.FENCED: report.FENCED,
    Moment.PROMISED: report.PROMISED,
    Moment.OPENED: report.OPENED,
    Moment.RELEASED: report.RELEASED,
    Moment.LIFTED: report.LIFTED,
}
_MOMENT_UNIT = "drill_agent_moment"
_MOMENT_SECONDS = 240
_DISARM = f"systemctl stop {_MOMENT_UNIT}.service 2>/dev/null || true"

_DATA_FOLDER = "17/postmaster.pid"
_RUNNING_WITHIN = 60.0


def kill(ctx: Context, act: Act) -> None:
    """SIGKILL to that one process: its children live until they notice, its unit does as it always does."""
    process = act.process
    if process is None:
        raise MirrorforceError("there is nothing to kill: the act names no process")
    ctx.on_all(act.hosts, lambda host: _kill_command(ctx, host, process), f"kill {process}")


def _kill_command(ctx: Context, host: str, process: Process) -> str:
    if process is Process.POSTMASTER:
        file = shlex.quote(f"{ctx.mount(host, 'data')}/{_DATA_FOLDER}")
        return f'kill -KILL "$(head -n 1 {file})"'
    return _signal("KILL", _UNITS[process])


def _signal(name: str, unit: str) -> str:
    """The command that signals a unit's own process, and none that it started."""
    return f"systemctl kill --kill-whom=main --signal={name} {unit}"


def freeze(ctx: Context, act: Act) -> None:
    """No process of Patroni's unit, PostgreSQL's among them, runs on: connections stay, nothing answers."""
    ctx.on_all(act.hosts, f"{_IF_WATCHED} systemctl freeze {WATCH}; fi; systemctl freeze {PATRONI}", "freeze")


def freeze_patroni(ctx: Context, act: Act) -> None:
    """Patroni's own process does not run on; PostgreSQL, which it started, does."""
    ctx.on_all(act.hosts, _signal("STOP", PATRONI), "freeze Patroni alone")


def let_agent_die(ctx: Context, act: Act) -> None:
    """Have each host kill its agent when that says in the journal that it has come so far.

    On the host itself: a few milliseconds later, where the agent's next step takes a round trip to etcd.
    """
    _at_the_moment(ctx, act, "KILL")


def freeze_agent(ctx: Context, act: Act) -> None:
    """The same, and the agent does not run on; systemd ends it after half a minute, unless it is thawed."""
    _at_the_moment(ctx, act, "STOP")


def _at_the_moment(ctx: Context, act: Act, name: str) -> None:
    if act.moment is None:
        raise MirrorforceError("the act names no moment")
    follow = f"journalctl --follow --lines=0 --output=cat --unit={AGENT}"
    seen = f"grep --quiet --max-count=1 --regexp={shlex.quote('^' + _SAID[act.moment])}"
    then = f"{follow} | {{ {seen} && {_signal(name, AGENT)}; }}"
    ctx.on_all(
        act.hosts,
        f"{_DISARM}; systemctl is-active --quiet {AGENT}; "
        f"systemd-run --quiet --collect --unit={_MOMENT_UNIT} --property=RuntimeMaxSec={_MOMENT_SECONDS} "
        f"sh -c {shlex.quote(then)}",
        f"have {AGENT} get SIG{name}",
    )


def spare_agents(ctx: Context) -> None:
    """Have no host wait any longer for a moment to signal its agent at: the drill that asked is over."""
    if ctx.estate.fence_and_release:
        members = [host.name for host in ctx.inventory.of_role("database")]
        ctx.on_all(ctx.with_power(members), _DISARM, "spare the failover agents")


def thaw(ctx: Context, act: Act) -> None:
    """Let them run on. What lost its power meanwhile is not frozen any more."""
    watch = f"{_IF_WATCHED} systemctl thaw {WATCH}; fi"
    again = f"{watch}; systemctl thaw {PATRONI}; {_signal('CONT', PATRONI)}"
    if ctx.estate.fence_and_release:
        again += f"; {_DISARM}; if systemctl --quiet is-active {AGENT}; then {_signal('CONT', AGENT)}; fi"
    ctx.on_all(ctx.with_power(act.hosts), again, "thaw")


def stop_etcd(ctx: Context, act: Act) -> None:
    """Stop the voters' etcd in good order, all at the same time."""
    _stop(ctx, act.hosts, [ETCD])


def start_etcd(ctx: Context, act: Act) -> None:
    """Start it again; together, for one voter alone waits for the others."""
    _start(ctx, act.hosts, [ETCD])


def stop_dns(ctx: Context, act: Act) -> None:
    """Stop failover DNS: gdnsd and the leader watcher."""
    _stop(ctx, act.hosts, DNS)


def start_dns(ctx: Context, act: Act) -> None:
    """Start it again."""
    _start(ctx, act.hosts, DNS)


def _stop(ctx: Context, hosts: Iterable[str], units: Sequence[str]) -> None:
    # In the order of units: the watcher's last deed needs no gdnsd.
    ctx.on_all(hosts, f"systemctl stop {' '.join(units)}", f"stop {' and '.join(units)}", timeout=60.0)


def _start(ctx: Context, hosts: Iterable[str], units: Sequence[str]) -> None:
    """Start the units on hosts that have power; on the others they start with the host."""
    chosen = ctx.with_power(hosts)
    words, what = " ".join(units), f"start {' and '.join(units)}"
    ctx.on_all(chosen, f"systemctl reset-failed {words} || true; systemctl start --no-block {words}", what)

    waiting.until(
        lambda: ctx.holds_on_all(chosen, f"systemctl is-active --quiet {words}") or None,
        limit=_RUNNING_WITHIN,
        otherwise=lambda: MirrorforceError(
            f"{what}: after {_RUNNING_WITHIN:.0f} s they do not run on every one of {', '.join(chosen)}",
            f"mirrorforce status {ctx.ws.env}",
        ),
    )
