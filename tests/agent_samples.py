"""A cell of three members as its failover agents see it, at rest and on the way to another leader."""

from __future__ import annotations

from dataclasses import replace

from mirrorforce.onhost.failover_agent import coordination
from mirrorforce.onhost.failover_agent.coordination import Known, Release
from mirrorforce.onhost.failover_agent.keys import Cell
from mirrorforce.onhost.failover_agent.view import Leader, Local, Pace, Promise, Round, Sync, View, Vote

CELL = Cell("na1")
PACE = Pace.of(20.0)
LEADER = Leader("old", 7)
SYNC = Sync("old", frozenset({"s1", "s2"}), 1, 5)
ROUND = Round("s1", "old", 7, 5, revision=9)
PROMISES = {name: Promise("old", 7, 5, 100, revision=10) for name in ("s1", "s2")}
VOTES = {name: Vote("old", 7, f"site of {name}") for name in ("s1", "s2")}
QUIET = View(LEADER, SYNC, alive=frozenset({"s1", "s2", "old"}))
FAILING = replace(QUIET, votes=VOTES)
OPENED = replace(FAILING, round=ROUND)
PROMISED = replace(OPENED, promises=PROMISES)
SEES = Known(suspicious=True, leader_seen_for=60.0)
IDLE = replace(SEES, mine=False, idle_for=PACE.take_over_after)
FENCED = Local(frozenset({"old"}), of_round=ROUND.identity, follows="old", position=100)
ABLE = {name: replace(one, heir=True) for name, one in PROMISES.items()}
PLANNED = replace(ROUND, planned=True)
CONSENTED = replace(QUIET, round=PLANNED, promises=ABLE)
CALM = replace(SEES, suspicious=False)
RELEASED_SYNC = replace(SYNC, revision=PLANNED.revision)


def release(view: View, known: Known = SEES) -> Release:
    step = coordination.next_step("s1", view, known, PACE)
    assert isinstance(step, Release), step
    return step
