"""Volumes of database hosts: full, and slow."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mirrorforce.errors import MirrorforceError
from mirrorforce.lab import disk_speed, hosts

if TYPE_CHECKING:
    from mirrorforce.drills.actions.context import Context
    from mirrorforce.drills.acts import Act

FILLER = "mirrorforce-drill-filler"
"""The file, at the top of the WAL volume, that takes all of its space."""

_WAL, _DATA = "wal", "data"
_FILL_SECONDS = 60.0

# Reserving the space is quick and costs the disk below nothing; what is left (blocks that the reservation
# itself took, or that somebody freed meanwhile) is written until the file system has no block left.
_FILL = """
umask 077
fallocate -l "$(df -B1 --output=avail {mount} | tail -n 1 | tr -d ' ')" {filler} 2>/dev/null || true
while dd if=/dev/zero bs=1M 2>/dev/null >> {filler}; do :; done
while dd if=/dev/zero bs=4k 2>/dev/null >> {filler}; do :; done
sync -f {filler}
test "$(df -B1 --output=avail {mount} | tail -n 1 | tr -d ' ')" -eq 0
"""


def fill_wal(ctx: Context, act: Act) -> None:
    """Take every free block of the hosts' WAL volumes; MirrorforceError where any is left."""

    def command(host: str) -> str:
        mount = ctx.mount(host, _WAL)
        return _FILL.format(mount=shlex.quote(mount), filler=shlex.quote(f"{mount}/{FILLER}"))

    ctx.on_all(act.hosts, command, "fill the WAL volume", timeout=_FILL_SECONDS)


def empty_wal(ctx: Context, act: Act) -> None:
    """Give the space back; of a lab host without power, on its disk."""
    reached = ctx.with_power(act.hosts)
    for host in act.hosts:
        if host not in reached:
            hosts.remove_from_volume(ctx.estate.name, host, _WAL, FILLER)
    ctx.on_all(reached, lambda host: f"rm -f {shlex.quote(f'{ctx.mount(host, _WAL)}/{FILLER}')}", "empty")


def slow_data(ctx: Context, act: Act) -> None:
    """Let each access to the hosts' data volumes take `amount` seconds, one after another."""
    if not act.amount:
        raise MirrorforceError("a slow disk needs the seconds that each access takes: more than 0")
    for host in act.hosts:
        disk_speed.slow(ctx.estate.name, host, _DATA, act.amount)


def restore_data(ctx: Context, act: Act) -> None:
    """Let them be as fast as they are; a disk whose host lost its power is so already."""
    for host in act.hosts:
        disk_speed.restore(ctx.estate.name, host)
