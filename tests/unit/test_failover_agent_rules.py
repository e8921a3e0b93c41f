"""Rounds: who opens, closes and takes one over, and what a release takes; test_failover_agent_cell.py holds
all of it to the invariants."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mirrorforce.onhost.etcd import KeyValue
from mirrorforce.onhost.failover_agent import coordination, fencing, rules
from mirrorforce.onhost.failover_agent.coordination import Close, Known, Open, Refuse, Release, TakeOver
from mirrorforce.onhost.failover_agent.fencing import Withdraw
from mirrorforce.onhost.failover_agent.keys import Compare, Delete, Hangs, Put
from mirrorforce.onhost.failover_agent.view import Leader, Promise, Round, View
from tests.agent_samples import (
    ABLE,
    CELL,
    FAILING,
    FENCED,
    IDLE,
    LEADER,
    OPENED,
    PACE,
    PLANNED,
    PROMISED,
    PROMISES,
    QUIET,
    ROUND,
    SEES,
    SYNC,
    VOTES,
    release,
)


def refusal(view: View, known: Known = SEES) -> str:
    step = coordination.next_step("s1", view, known, PACE)
    assert isinstance(step, Refuse), step
    return step.why


def test_a_change_of_sync_ends_the_round_and_the_fences() -> None:
    changed = replace(PROMISED, sync=replace(SYNC, revision=11))
    step = coordination.next_step("s1", changed, SEES, PACE)
    assert isinstance(step, Close)
    assert isinstance(fencing.next_step("s2", changed, FENCED), Withdraw)


def test_the_rounds_own_release_is_no_change_of_sync() -> None:
    released = replace(ROUND, released=1, revision=20)
    view = replace(PROMISED, round=released, leader=Leader("old", 21), sync=replace(SYNC, revision=20))
    assert fencing.next_step("s2", view, FENCED) is None
    again = coordination.next_step("s1", view, SEES, PACE)
    assert isinstance(again, Release)


def test_a_round_opens_when_two_sites_see_the_same_leader_fail() -> None:
    assert coordination.next_step("s1", FAILING, SEES, PACE) == Open(Round("s1", "old", 7, 5))
    assert coordination.next_step("s1", FAILING, replace(SEES, suspicious=False), PACE) is None
    one_site = {name: replace(vote, site="west") for name, vote in VOTES.items()}
    assert "alone" in refusal(replace(FAILING, votes=one_site))
    earlier = {name: replace(vote, leader_revision=6) for name, vote in VOTES.items()}
    assert "nowhere" in refusal(replace(FAILING, votes=earlier))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"paused": True}, "paused"),
        ({"failover": True}, "switchover"),
        ({"maintenance": True}, "maintenance"),
        ({"sync": replace(SYNC, leader="s1")}, "converged"),
        ({"sync": replace(SYNC, voters=frozenset())}, "converged"),
        ({"sync": replace(SYNC, voters=frozenset({"s1"}))}, "s2"),
        ({"alive": frozenset({"s1"})}, "too few"),
        ({"promises": {"s2": Promise("old", 7, 4, 1)}}, "earlier round"),
    ],
)
def test_each_brake_refuses_a_round_and_says_why(change: dict[str, object], word: str) -> None:
    assert word in refusal(replace(FAILING, **change))  # type: ignore[arg-type]


def test_brakes_of_this_host_refuse_too() -> None:
    assert "failsafe" in refusal(FAILING, replace(SEES, failsafe=True))
    assert "changed less than" in refusal(FAILING, replace(SEES, leader_seen_for=19.0))
    assert "given up" in refusal(FAILING, replace(SEES, rests_for=3.0))


@pytest.mark.parametrize("change", [{"paused": True}, {"failover": True}, {"maintenance": True}])
def test_a_brake_closes_a_round_that_is_open(change: dict[str, bool]) -> None:
    assert isinstance(coordination.next_step("s1", replace(PROMISED, **change), SEES, PACE), Close)  # type: ignore[arg-type]


def test_a_release_waits_for_all_that_is_needed() -> None:
    assert isinstance(coordination.next_step("s1", PROMISED, SEES, PACE), Release)
    one = replace(PROMISED, promises={"s1": PROMISES["s1"]})
    assert coordination.next_step("s1", one, SEES, PACE) is None
    late = coordination.next_step("s1", one, replace(SEES, round_for=7.0), PACE)
    assert isinstance(late, Close)
    assert "s2" in late.why


def test_a_member_that_is_ahead_of_all_that_promised_stops_the_release() -> None:
    step = coordination.next_step("s1", PROMISED, replace(SEES, positions={"s3": 101}), PACE)
    assert isinstance(step, Close)
    assert "s3" in step.why
    assert isinstance(
        coordination.next_step("s1", PROMISED, replace(SEES, positions={"s3": 100}), PACE), Release
    )


def test_who_took_its_key_back_three_times_is_left_to_patroni() -> None:
    released = replace(ROUND, released=rules.MOST_RELEASES, revision=20)
    view = replace(PROMISED, round=released, leader=Leader("old", 30), sync=replace(SYNC, revision=20))
    step = coordination.next_step("s1", view, SEES, PACE)
    assert isinstance(step, Close)
    assert "3 times" in step.why


def test_only_its_coordinator_goes_on_with_a_round() -> None:
    assert coordination.next_step("s2", PROMISED, SEES, PACE) is None


def test_a_release_compares_all_that_it_counted_and_deletes_the_leader_first() -> None:
    sent = CELL.release(PROMISED, ROUND, PROMISES, "{}")
    assert set(sent.compares) == {
        Compare("/service/na1/leader", "old"),
        Compare("/service/na1/leader", 7),
        Compare("/service/na1/sync", 5),
        Compare("/service/na1/config", 0),
        Compare("/service/na1/failover", 0),
        Compare("/failover_agent/na1/maintenance", 0),
        Compare("/failover_agent/na1/round", 9),
        Compare("/failover_agent/na1/promise/s1", 10),
        Compare("/failover_agent/na1/promise/s2", 10),
    }
    assert sent.operations[:2] == (Delete("/service/na1/leader"), Put("/service/na1/sync", "{}"))


def test_the_key_is_handed_over_to_the_best_that_can_lead() -> None:
    view = replace(PROMISED, promises=ABLE)
    assert release(view).heir == "s1"
    assert release(view, replace(SEES, order=("s2", "s1"))).heir == "s2"
    behind = {**ABLE, "s1": replace(ABLE["s1"], position=99)}
    assert release(replace(PROMISED, promises=behind)).heir == "s2"


def test_where_nobody_of_the_best_can_lead_patronis_race_decides() -> None:
    assert release(PROMISED).heir is None
    behind = {"s1": PROMISES["s1"], "s2": replace(ABLE["s2"], position=99)}
    assert release(replace(PROMISED, promises=behind)).heir is None


def test_a_key_that_is_handed_over_names_its_heir_for_the_ttl_at_most() -> None:
    sent = CELL.release(PROMISED, ROUND, ABLE, "{}", "s2")
    assert sent.operations[0] == Put("/service/na1/leader", "s2", Hangs.ON_THE_TTL)
    assert set(sent.compares) == set(CELL.release(PROMISED, ROUND, ABLE, "{}").compares)


@pytest.mark.parametrize(("value", "asks"), [("{}", False), ("", False), ('{"leader": "old"}', True)])
def test_what_patroni_leaves_behind_after_a_switchover_asks_for_nothing(value: str, asks: bool) -> None:  # noqa: FBT001
    view = CELL.read([KeyValue("/service/na1/failover", value, 30)], "s1")
    assert (view.failover, view.failover_revision) == (asks, 30)
    compared = CELL.open(replace(FAILING, failover_revision=30), ROUND).compares
    assert Compare("/service/na1/failover", 30) in compared


def test_a_promise_that_comes_late_does_not_fit_any_more() -> None:
    promised = CELL.promise("s1", replace(OPENED, own=3), Promise("old", 7, 5, 100))
    withdrawn = CELL.withdraw("s1", replace(OPENED, own=3), "old")
    assert Compare("/failover_agent/na1/promise/s1", 3) in promised.compares
    # Withdrawing puts the key anew and for good: it never has that revision again, and never none.
    assert withdrawn.operations == (Put("/failover_agent/na1/promise/s1", "{}"),)
    assert Compare("/service/na1/leader", "old") in withdrawn.compares


def test_what_is_written_is_read_again() -> None:
    vote = CELL.vote("s1", VOTES["s1"]).operations[0]
    promise = CELL.promise("s1", QUIET, ABLE["s1"]).operations[0]
    opened = CELL.open(QUIET, PLANNED).operations[0]
    found = [KeyValue(one.key, one.value, 10) for one in (vote, promise, opened) if isinstance(one, Put)]
    sync = {"leader": "old", "sync_standby": "s1,s2", "quorum": 1}
    found += [
        KeyValue("/service/na1/leader", "old", 7),
        KeyValue("/service/na1/sync", json.dumps(sync), 5),
        KeyValue("/service/na1/config", json.dumps({"pause": True}), 2),
        KeyValue("/failover_agent/na1/session/s1", "{}", 4),
    ]
    view = CELL.read(found, "s1")
    assert (view.leader, view.sync, view.own, view.config_revision) == (LEADER, SYNC, 10, 2)
    assert (view.round, view.promises) == (replace(PLANNED, revision=10), {"s1": ABLE["s1"]})
    assert (view.votes, view.alive) == ({"s1": VOTES["s1"]}, frozenset({"s1"}))
    assert view.paused
    assert not view.failover


def test_the_timer_of_a_block_outlasts_the_promise_and_the_primarys_lease() -> None:
    assert PACE.block > PACE.session + PACE.ttl
    assert PACE.guard >= PACE.ttl


def test_a_round_that_its_coordinator_leaves_undone_is_taken_over() -> None:
    assert coordination.next_step("s2", PROMISED, IDLE, PACE) == TakeOver(ROUND)


def test_a_coordinator_that_started_again_does_not_go_on_with_what_it_forgot() -> None:
    """It has not seen the primary fail yet, which would end the round."""
    forgot = replace(IDLE, suspicious=False, leader_seen_for=1.0)
    assert coordination.next_step("s1", PROMISED, forgot, PACE) is None
    remembers = replace(forgot, mine=True)
    assert isinstance(coordination.next_step("s1", PROMISED, remembers, PACE), Close)


@pytest.mark.parametrize(
    ("view", "known"),
    [
        pytest.param(PROMISED, replace(IDLE, idle_for=0.5), id="its coordinator has just had its chance"),
        pytest.param(OPENED, IDLE, id="promises are missing"),
        pytest.param(PROMISED, replace(IDLE, suspicious=False), id="the primary answers"),
        pytest.param(replace(PROMISED, maintenance=True), IDLE, id="a brake is on"),
        pytest.param(replace(PROMISED, round=replace(ROUND, released=1)), IDLE, id="released already"),
    ],
)
def test_no_round_is_taken_over_without_need(view: View, known: Known) -> None:
    assert coordination.next_step("s2", view, known, PACE) is None


def test_a_take_over_leaves_the_round_what_it_is() -> None:
    wanted = CELL.take_over("s2", PROMISED, ROUND)
    assert Compare(CELL.round, ROUND.revision) in wanted.compares
    (put,) = wanted.operations
    assert isinstance(put, Put)
    assert put.hangs is Hangs.ON_THE_SESSION
    after = CELL.read([KeyValue(put.key, put.value, 77)], "s2").round
    assert after is not None
    assert (after.coordinator, after.identity) == ("s2", ROUND.identity)
