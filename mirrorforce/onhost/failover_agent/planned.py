"""A planned switchover by fences, on the primary's side: clients wait, the standby catches up, a round opens.

What makes it safe is in the agents and the round (`coordination`). This only sees to it that nothing is left
to lose or to rewind, and that clients wait rather than fail: their commits are confirmed before the fences.

Runs as a transient unit, as PostgreSQL's user with the packet filter's capability.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg2  # type: ignore[import-untyped]  # from the host: Patroni brings it

from mirrorforce.onhost.commands import CommandError
from mirrorforce.onhost.etcd import Client, EtcdError
from mirrorforce.onhost.failover_agent import coordination
from mirrorforce.onhost.failover_agent.coordination import Open, Refuse
from mirrorforce.onhost.failover_agent.database import Database
from mirrorforce.onhost.failover_agent.packets import Fence
from mirrorforce.onhost.failover_agent.report import leader_since
from mirrorforce.onhost.failover_agent.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.onhost.failover_agent.keys import Transaction
    from mirrorforce.onhost.failover_agent.settings import Settings
    from mirrorforce.onhost.failover_agent.view import View

CHECKPOINT_WITHIN_S = 60.0
NEAR_WITHIN_S = 30.0
NEAR_BYTES = 1 << 18
"""So little a standby confirms within a few round trips. What it lacks of an ended segment goes first."""
CAUGHT_UP_WITHIN_S = 1.0
DECIDED_WITHIN_S = 3.0
"""From the round on; agents give it up sooner by themselves (`Pace.planned_limit`)."""
STOPPED_WITHIN_S = 3.0
HOLD_S = CAUGHT_UP_WITHIN_S + DECIDED_WITHIN_S + STOPPED_WITHIN_S + 1.0
"""The timer of the hold, should this process die."""
_LOOK_EVERY = 0.02


class RefusedError(Exception):
    """It was not done, and the primary is what it was."""


@dataclass(frozen=True)
class Held:
    """Seconds for which clients were held, until another member led and until this one had stopped."""

    handed_over: float
    stopped: float


def hand_over(settings: Settings, to: str) -> Held:
    """Have `to` lead in this member's place. RefusedError."""
    client = Client(settings.endpoints, settings.credentials, settings.user)
    store, database = Store(client, settings.cell, settings.me, settings.pace), Database()
    fence = Fence(settings.addresses, settings.postgres_port, settings.patroni_port)
    try:
        # What stands against it is known before anybody waits.
        _view, first = _opening(store, settings.me, to)
        _guard_time(settings.pace.guard, first.round.leader_revision)
        database.checkpoint(CHECKPOINT_WITHIN_S)
        _within(NEAR_WITHIN_S, lambda: _is_near(database, to), f"{to} did not catch up")
        store.begin()
        view, opening = _opening(store, settings.me, to)
        if opening.round.leader_revision != first.round.leader_revision:
            raise RefusedError("the leader key changed meanwhile")
        fence.hold_clients(HOLD_S)
        try:
            return _held(settings, store, database, to, settings.cell.open(view, opening.round))
        finally:
            fence.let_clients_go()
    except (EtcdError, CommandError, psycopg2.Error) as fault:
        raise RefusedError(str(fault).strip()) from fault


def _is_near(database: Database, to: str) -> bool:
    missing = database.missing(to)
    return missing is not None and missing < NEAR_BYTES


def _guard_time(guard: float, leader_revision: int) -> None:
    """RULE 11: wait until the leader key has been as it is for long enough; nobody is held yet.

    Since when, this host's agent knows; where it does not, since now.
    """
    since = leader_since(leader_revision)
    left = guard if since is None else since + guard - time.monotonic()
    time.sleep(max(0.0, left))


def _held(settings: Settings, store: Store, database: Database, to: str, opening: Transaction) -> Held:
    """While clients wait; that nothing changed since they do is compared by the transaction."""
    began = time.monotonic()
    _within(CAUGHT_UP_WITHIN_S, lambda: database.missing(to) == 0, f"{to} did not catch up")
    if not store.carry_out(opening):
        raise RefusedError("the cell changed at that moment")
    try:
        _within(DECIDED_WITHIN_S, lambda: _decided(store, settings.me), "agents did not decide")
    except RefusedError:
        _give_up(settings, store)
        raise
    handed_over = time.monotonic() - began
    stopped = time.monotonic() + STOPPED_WITHIN_S
    while database.is_primary() and time.monotonic() < stopped:
        time.sleep(_LOOK_EVERY)
    return Held(round(handed_over, 3), round(time.monotonic() - began, 3))


def _give_up(settings: Settings, store: Store) -> None:
    """End the round, or it might still come to something when nobody waits for it."""
    now = store.see().view.round
    if now and now.planned and now.target == settings.me:
        store.carry_out(settings.cell.close(now))


def _opening(store: Store, me: str, to: str) -> tuple[View, Open]:
    view = store.see().view
    opening = coordination.planned(me, to, view)
    if isinstance(opening, Refuse):
        raise RefusedError(opening.why)
    return view, opening


def _decided(store: Store, me: str) -> bool:
    """Whether another member leads; RefusedError where the round was given up."""
    view = store.see().view
    leads = view.leader is not None and view.leader.name == me
    if leads and view.round is None:
        raise RefusedError("agents gave it up, and say why in `mirrorforce status`")
    return view.leader is not None and not leads


def _within(seconds: float, done: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise RefusedError(f"{otherwise} within {seconds:g} s")
        time.sleep(_LOOK_EVERY)
