"""What is asked of a cell: a switchover, WAL for nothing, a member copied anew, slots kept less long."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from mirrorforce import postgres_variables, remote
from mirrorforce.drills import ledger
from mirrorforce.drills.acts import Verb
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import (
    converge,
    recover,
    reinit,
    requests,
    status,
    status_report,
    switchover,
    take_back,
    waiting,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from mirrorforce.drills.actions.context import Context
    from mirrorforce.drills.acts import Act
    from mirrorforce.estate import Cell

_PATRONICTL_SECONDS = 60.0
_COPY_SECONDS = 600.0
_WAL_SECONDS_AT_LEAST = 60.0
_SLOTS = "member_slots_ttl"

# Messages that nobody reads: WAL without a table. Standbys that are there keep step, so that only who is
# away falls behind; the checkpoint is when PostgreSQL gives up slots that hold back too much.
_WRITE_WAL = """
do $$
begin
  for chunk in 1..{chunks} loop
    for piece in 1..{pieces} loop
      perform pg_logical_emit_message(false, 'mirrorforce drill', repeat('x', 1048576 - 64), true);
    end loop;
    while exists (select from pg_stat_get_wal_senders()
                  where pg_wal_lsn_diff(pg_current_wal_insert_lsn(), flush_lsn) > {behind}) loop
      perform pg_sleep(0.05);
    end loop;
  end loop;
end
$$;
checkpoint;
"""
_PIECES = 8
_BEHIND = 32 << 20


def converge_members(ctx: Context, act: Act) -> None:
    """Run Ansible on the members, whatever they are at; MirrorforceError where a task fails."""
    converge.converge(ctx.ws, ctx.estate, limit=",".join(act.hosts))


def switch_over(ctx: Context, act: Act) -> None:
    """Hand the cell over to the host's site, as `mirrorforce switchover` does; returns when all follow."""
    site = ctx.site_of[act.hosts[0]]
    switchover.switchover(ctx.ws, ctx.estate, ctx.inventory, _cell(ctx, act).name, site, ctx.say)


def write_wal(ctx: Context, act: Act) -> None:
    """Write `amount` MiB of WAL on the primary, as fast as streaming standbys take it, and a checkpoint."""
    mib = round(act.amount or 0)
    primary = status_report.primary_of(_look(ctx), _cell(ctx, act).name)
    result = emit_wal(ctx, primary, mib)
    if not result.ok and not _filled(ctx, primary):
        raise MirrorforceError(
            f"writing {mib} MiB of WAL failed on {primary}: {result.reason}", f"mirrorforce ssh {primary}"
        )


def emit_wal(ctx: Context, primary: str, mib: int) -> remote.Result:
    """Write so many MiB of WAL there, rounded up to 8, and a checkpoint; what psql gave."""
    script = _WRITE_WAL.format(chunks=-(-mib // _PIECES), pieces=_PIECES, behind=_BEHIND)
    psql = [
        "sudo", "-n", "runuser", "-u", "postgres", "--",
        "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f", "-",
    ]  # fmt: skip
    return remote.run(ctx.ws, primary, psql, stdin=script, timeout=_WAL_SECONDS_AT_LEAST + mib)


def _filled(ctx: Context, host: str) -> bool:
    """Whether a drill has filled the host's WAL volume: what is written there breaks off, as it should."""
    acts = (entry.act for entry in ledger.outstanding(ctx.ws))
    return any(act.verb is Verb.FILL_WAL and host in act.hosts for act in acts)


def keep_slots_for(ctx: Context, act: Act) -> None:
    """Let the cell keep the slot of a member that is away for `amount` seconds only."""
    _configure(ctx, _cell(ctx, act), _SLOTS, round(act.amount or 0))


def keep_slots_as_declared(ctx: Context, act: Act) -> None:
    """Let the cell keep slots as long as the estate file says."""
    cell = _cell(ctx, act)
    _configure(ctx, cell, _SLOTS, postgres_variables.dynamic_configuration(ctx.estate, cell)[_SLOTS])


def reinitialise(ctx: Context, act: Act) -> None:
    """Copy the member anew from the primary; with `amount`, unless it streams within so many seconds."""
    cell, member = _cell(ctx, act), act.hosts[0]
    if act.amount is not None and _streams_within(ctx, cell, member, act.amount):
        return
    reinit.reinit(ctx.ws, ctx.estate, ctx.inventory, member, limit=_COPY_SECONDS, on_progress=ctx.say)


def recover_from(ctx: Context, act: Act) -> None:
    """Let the cell go on from the act's site alone; whatever may be lost is accepted, since a drill asked."""
    site = act.sites[0]
    cell = _cell(ctx, act).name
    recover.recover(ctx.ws, ctx.estate, ctx.inventory, cell, site, accept_loss=True, on_progress=ctx.say)


def take_back_sites(ctx: Context, act: Act) -> None:
    """Let the sites that were given up join again, one after the other, without what they held."""
    for site in dict.fromkeys((*act.sites, *(ctx.site_of[host] for host in act.hosts))):
        take_back.take_back(ctx.ws, ctx.estate, ctx.inventory, site, ctx.say)


def _streams_within(ctx: Context, cell: Cell, member: str, seconds: float) -> bool:
    try:
        waiting.until(
            lambda: _streams(ctx, cell, member) or None,
            limit=seconds,
            every=2.0,
            otherwise=lambda: MirrorforceError(f"{member} does not stream"),
        )
    except MirrorforceError:
        return False
    return True


def _streams(ctx: Context, cell: Cell, member: str) -> bool:
    members = status_report.cell_of(_look(ctx), cell.name)["members"]
    found = {each["host"]: each["state"] for each in members}
    return found.get(member) == "streaming"


def _cell(ctx: Context, act: Act) -> Cell:
    if act.cell is None:
        raise MirrorforceError(f"'{act.verb}' needs a cell")
    return ctx.estate.cell(act.cell)


def _look(ctx: Context) -> dict[str, Any]:
    return status.collect(ctx.ws, ctx.estate, ctx.inventory, timeout=status.FOR_A_DECISION)


def _configure(ctx: Context, cell: Cell, setting: str, value: object) -> None:
    """Change the cell's dynamic configuration in etcd, through whichever member reaches it."""
    members = [host.name for host in ctx.inventory.of_cell(cell.name)]
    _patronictl(
        ctx,
        members,
        "edit-config",
        cell.name,
        "--force",
        "--quiet",
        "--set",
        f"{setting}={json.dumps(value)}",
    )


def _patronictl(ctx: Context, hosts: Sequence[str], *words: str, seconds: float = _PATRONICTL_SECONDS) -> str:
    """Give Patroni an order on the first of the hosts that carries it out; what it said."""
    said = []
    for host in ctx.with_power(hosts):
        line = [*requests.PATRONICTL, *words]
        result = remote.run(ctx.ws, host, line, timeout=seconds)
        if result.ok:
            return result.stdout
        said.append(f"{host}: {result.reason}")
    raise MirrorforceError(
        f"patronictl {shlex.join(words)} failed: {'; '.join(said) or 'no member has power'}",
        f"mirrorforce status {ctx.ws.env}",
    )
