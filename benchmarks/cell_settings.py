"""A cell under another setup for a while: Patroni's dynamic configuration changed, and put back. The edge.

The estate file is not touched. What is put back is what it declares: whoever was killed outright before
that is made good by the next run, or by `mirrorforce converge`.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from benchmarks.setups import OURS
from mirrorforce import postgres_variables, remote
from mirrorforce.errors import MirrorforceError
from mirrorforce.operations import maintenance, member_sql, requests, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.setups import Setup
    from mirrorforce.drills.actions import Context

FOLLOWED_WITHIN = 120.0
"""Seconds; a member reads its settings once a loop, of 10 s at most here."""

_PATRONICTL_SECONDS = 30.0

# Patroni keeps a copy of the configuration that a member goes by in its data directory.
_FOLLOWED = "select pg_read_file('patroni.dynamic.json');"
_LEADS = "select not pg_is_in_recovery();"
_COUNTED = "show synchronous_standby_names;"


@dataclass(frozen=True, slots=True)
class CellSettings:
    """The dynamic configuration of one cell of an environment."""

    ctx: Context
    cell: str

    def apply(self, setup: Setup) -> Context:
        """Put the cell under the setup; returns when all members go by it, with the context to drill in.

        MirrorforceError where no member takes the settings, or they do not follow in time.
        """
        self._let_agents(act=setup.agents)
        declared = self.ctx.estate.cell(self.cell)
        configuration = setup.configuration(
            postgres_variables.dynamic_configuration(self.ctx.estate, declared)
        )
        self._replace(configuration)
        ctx = replace(self.ctx, estate=setup.estate(self.ctx.estate, self.cell))
        waiting.until(
            lambda: self._followed(configuration, setup.copies(declared)) or None,
            limit=FOLLOWED_WITHIN,
            otherwise=lambda: MirrorforceError(
                f"not every member of {self.cell} goes by '{setup.name}' after {FOLLOWED_WITHIN:.0f} s",
                f"mirrorforce status {self.ctx.ws.env}",
            ),
        )
        waiting.until_whole(ctx.ws, ctx.estate, ctx.inventory, on_progress=ctx.say)
        return ctx

    def put_back(self) -> None:
        """Declare again what the estate file declares; members follow within a loop of theirs."""
        if self.ctx.estate.fence_and_release:
            self._let_agents(act=True)
        declared = self.ctx.estate.cell(self.cell)
        self._replace(postgres_variables.dynamic_configuration(self.ctx.estate, declared))

    def _let_agents(self, *, act: bool) -> None:
        """Have failover agents act, or keep still; MirrorforceError where there are none to act."""
        if self.ctx.estate.fence_and_release:
            maintenance.maintenance(self.ctx.ws, self.ctx.estate, self.cell, on=not act)
        elif act:
            raise MirrorforceError(
                f"{self.ctx.estate.name} has no failover agents",
                "measure an environment with failover: {fence_and_release: true}",
            )

    def _replace(self, configuration: Mapping[str, object]) -> None:
        """Have any member that can write it to etcd do so."""
        line = [*requests.PATRONICTL, "edit-config", self.cell, "--force", "--quiet", "--replace", "-"]
        said = []
        for host in self.ctx.with_power(self._members):
            result = remote.run(
                self.ctx.ws, host, line, stdin=json.dumps(configuration), timeout=_PATRONICTL_SECONDS
            )
            if result.ok:
                return
            said.append(f"{host}: {result.reason}")
        raise MirrorforceError(
            f"no member of {self.cell} takes the settings: {'; '.join(said) or 'none has power'}",
            f"mirrorforce converge --env {self.ctx.ws.env} puts back what the estate file declares",
        )

    @property
    def _members(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.ctx.inventory.of_cell(self.cell))

    def _followed(self, configuration: Mapping[str, object], copies: int) -> bool:
        """Whether all members go by it, and the primary counts so many copies."""
        led = False
        for member in self._members:
            try:
                printed = member_sql.ask(
                    self.ctx.ws, member, "postgres", _LEADS + _COUNTED + _FOLLOWED, timeout=10.0
                )
            except MirrorforceError:
                return False
            leads, names, document = printed.split("\n", 2)
            if json.loads(document) != configuration:
                return False
            if leads == "t":
                led = is_counted(names, copies)
        return led


def is_counted(names: str, copies: int) -> bool:
    """Whether `synchronous_standby_names` is what Patroni makes of so many copies in quorum mode. Pure."""
    return names.startswith(f"ANY {copies} ") if copies else not names


@contextmanager
def borrowed(ctx: Context, cell: str) -> Iterator[CellSettings]:
    """The cell's settings for a while; put back afterwards whatever happens, Ctrl-C and SIGTERM included."""
    settings = CellSettings(ctx, cell)
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield settings
    finally:
        again = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            ctx.say(f"{cell} is put back to {OURS.name}")
            settings.put_back()
        finally:
            signal.signal(signal.SIGINT, again)
            signal.signal(signal.SIGTERM, before)


def _end(*_: object) -> NoReturn:
    """End as by Ctrl-C: what is broken is healed on the way out."""
    sys.exit(128 + signal.SIGTERM)
