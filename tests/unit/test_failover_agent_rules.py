"""The failover agent's decisions, one by one; test_failover_agent_cell.py holds them to the invariants."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.onhost.etcd import KeyValue
from mirrorforce.onhost.failover_agent import coordination, fencing, packets, rules, suspicion
from mirrorforce.onhost.failover_agent.coordination import Close, Known, Open, Refuse, Release, TakeOver
from mirrorforce.onhost.failover_agent.fencing import Block, EndStream, Give, Withdraw
from mirrorforce.onhost.failover_agent.keys import Cell, Compare, Delete, Hangs, Put
from mirrorforce.onhost.failover_agent.neighbours import source_in
from mirrorforce.onhost.failover_agent.patience import pause_after
from mirrorforce.onhost.failover_agent.suspicion import Sample
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


def refusal(view: View, known: Known = SEES) -> str:
    step = coordination.next_step("s1", view, known, PACE)
    assert isinstance(step, Refuse), step
    return step.why


def test_a_fence_goes_step_by_step() -> None:
    free = Local(follows="old", linked=frozenset({"old"}), position=90)
    assert fencing.next_step("s1", OPENED, free) == Block("old", ROUND.identity)
    linked = replace(FENCED, linked=frozenset({"old"}))
    assert fencing.next_step("s1", OPENED, linked) == EndStream("old")
    assert fencing.next_step("s1", OPENED, FENCED) == Give(Promise("old", 7, 5, 100))
    assert fencing.next_step("s1", PROMISED, FENCED) is None


def test_nobody_promises_a_position_that_is_not_known() -> None:
    assert fencing.next_step("s1", OPENED, replace(FENCED, position=None)) is None


def test_the_target_of_a_round_does_not_fence_itself() -> None:
    assert fencing.next_step("old", OPENED, Local(primary=True)) is None


def test_a_fence_is_lifted_only_when_this_member_follows_whoever_leads_now() -> None:
    after = replace(PROMISED, leader=Leader("s2", 12))
    assert fencing.next_step("s1", after, FENCED) is None
    step = fencing.next_step("s1", after, replace(FENCED, follows="s2"))
    assert isinstance(step, Withdraw)
    assert (step.leader, step.members) == ("s2", frozenset({"old"}))


def test_the_new_primary_lifts_its_fence_once_it_runs_as_one() -> None:
    after = replace(PROMISED, leader=Leader("s1", 12))
    assert fencing.next_step("s1", after, FENCED) is None
    assert isinstance(fencing.next_step("s1", after, replace(FENCED, primary=True)), Withdraw)


def test_no_fence_is_lifted_in_a_vacancy() -> None:
    for view in (PROMISED, QUIET):
        assert fencing.next_step("s1", replace(view, leader=None), replace(FENCED, follows="s2")) is None


def test_a_fence_of_an_older_round_is_withdrawn_before_it_is_set_up_anew() -> None:
    older = replace(FENCED, of_round=("old", 7, 4))
    step = fencing.next_step("s1", OPENED, older)
    assert isinstance(step, Withdraw)
    assert step.members == {"old"}


def test_what_the_boot_blocked_is_lifted_member_by_member() -> None:
    booted = Local(rules.boot_blocks("s1", ["old", "s1", "s2"]), follows="old")
    first = fencing.next_step("s1", QUIET, booted)
    assert isinstance(first, Withdraw)
    assert first.members == {"old"}
    rest = fencing.next_step("s1", QUIET, replace(booted, blocked=frozenset({"s2"})))
    assert isinstance(rest, Withdraw)
    assert rest.members == {"s2"}


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


ABLE = {name: replace(one, heir=True) for name, one in PROMISES.items()}
PLANNED = replace(ROUND, planned=True)
CONSENTED = replace(QUIET, round=PLANNED, promises=ABLE)
CALM = replace(SEES, suspicious=False)
RELEASED_SYNC = replace(SYNC, revision=PLANNED.revision)


def release(view: View, known: Known = SEES) -> Release:
    step = coordination.next_step("s1", view, known, PACE)
    assert isinstance(step, Release), step
    return step


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


def test_a_switchover_needs_the_primarys_consent_and_no_suspicion() -> None:
    assert coordination.planned("old", "s1", QUIET) == Open(Round("s1", "old", 7, 5, planned=True))
    assert release(CONSENTED, CALM).heir == "s1"
    assert isinstance(coordination.next_step("s1", replace(CONSENTED, round=ROUND), CALM, PACE), Close)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"leader": Leader("s2", 8)}, "s2 leads"),
        ({"leader": None}, "nobody leads"),
        ({"round": ROUND}, "a round against old"),
        ({"paused": True}, "paused"),
        ({"failover": True}, "switchover"),
        ({"maintenance": True}, "maintenance"),
        (
            {"sync": replace(SYNC, voters=frozenset({"s2"})), "alive": frozenset({"s2", "old"})},
            "s1 is no sync",
        ),
        ({"alive": frozenset({"s1", "old"})}, "too few"),
        (
            {
                "alive": frozenset({"s2", "old"}),
                "sync": replace(SYNC, quorum=0, voters=frozenset({"s1", "s2"})),
            },
            "s1 is no sync",
        ),
        ({"promises": {"s2": Promise("old", 7, 4, 1)}}, "earlier round"),
    ],
)
def test_what_stands_against_a_switchover_is_said_before_anybody_waits(
    change: dict[str, object], word: str
) -> None:
    step = coordination.planned("old", "s1", replace(QUIET, **change))  # type: ignore[arg-type]
    assert isinstance(step, Refuse)
    assert word in step.why


def test_a_candidate_whose_agent_was_just_started_leaves_the_guard_time_to_the_primary_that_waited() -> None:
    assert release(CONSENTED, replace(CALM, leader_seen_for=0.1)).heir == "s1"


@pytest.mark.parametrize(
    ("view", "known", "word"),
    [
        pytest.param(
            replace(CONSENTED, round=replace(PLANNED, released=1), sync=RELEASED_SYNC),
            replace(CALM, leader_seen_for=3.0), "changed less", id="guard time after a release",
        ),
        pytest.param(replace(CONSENTED, promises=PROMISES), CALM, "behind", id="the candidate cannot lead"),
        pytest.param(
            replace(CONSENTED, promises={**ABLE, "s1": replace(ABLE["s1"], position=99)}), CALM, "behind",
            id="the other standby has more",
        ),
        pytest.param(
            replace(CONSENTED, promises={"s1": ABLE["s1"]}), replace(CALM, round_for=2.1), "no promise of s2",
            id="a promise is missing",
        ),
        pytest.param(replace(CONSENTED, maintenance=True), CALM, "maintenance", id="a brake"),
    ],
)  # fmt: skip
def test_a_planned_round_ends_early_rather_than_to_keep_clients_waiting(
    view: View, known: Known, word: str
) -> None:
    step = coordination.next_step("s1", view, known, PACE)
    assert isinstance(step, Close)
    assert word in step.why


def test_nobody_takes_a_planned_round_over() -> None:
    assert coordination.next_step("s2", CONSENTED, IDLE, PACE) is None


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


@given(st.lists(st.builds(Sample, st.booleans(), st.booleans(), st.booleans(), st.booleans()), max_size=12))
def test_suspicion_needs_three_failures_in_a_row_and_never_rest_alone(samples: list[Sample]) -> None:
    streak = 0
    for sample in samples:
        streak = suspicion.streak_after(streak, sample)
    last = samples[-3:]
    expected = len(last) == 3 and all(
        not one.late and not one.rest and not (one.port and one.stream) for one in last
    )
    assert suspicion.suspicious(streak) == expected


def test_the_timer_of_a_block_outlasts_the_promise_and_the_primarys_lease() -> None:
    assert PACE.block > PACE.session + PACE.ttl
    assert PACE.guard >= PACE.ttl


def test_sockets_that_lead_to_a_member_are_found_in_the_kernels_table() -> None:
    lines = [
        # walreceiver to 198.18.1.20:5432, established; one whose process is gone; one in TIME_WAIT
        "0: 140212C6:8235 140112C6:1538 01 00000000:00000000 02:00000A4E 00000000 103 0 40123 2 0 20",
        "1: 140212C6:8236 150112C6:1538 04 00000000:00000000 02:00000A4E 00000000   0 0 0 2 0 20",
        "2: 140212C6:8237 160112C6:1538 06 00000000:00000000 02:00000A4E 00000000 103 0 40124 2 0 20",
        # the agent's own look, from one of its ports; a server's socket of our own
        "3: 140212C6:4E21 170112C6:1538 01 00000000:00000000 02:00000A4E 00000000 103 0 40125 2 0 20",
        "4: 140212C6:1538 180112C6:9999 01 00000000:00000000 02:00000A4E 00000000 103 0 40126 2 0 20",
    ]  # fmt: skip
    assert packets.linked_addresses(lines, 5432) == {"198.18.1.20"}


def test_a_boot_blocks_streams_alone_so_that_a_cold_cell_can_vote() -> None:
    text = packets.table(5432, 8008, booting=["198.18.1.20"])
    assert "booting { 198.18.1.20 }" in text
    booting = [line for line in text.splitlines() if "@booting" in line]
    assert len(booting) == 2
    assert not [line for line in booting if "8008" in line]


def test_clients_are_held_and_members_are_not() -> None:
    held = [
        line for line in packets.table(5432, 8008, members=["198.18.1.20"]).splitlines() if "@held" in line
    ]
    assert all("ip saddr != { 198.18.1.20 }" in line for line in held)
    assert [line.rsplit(" ", 1)[1] for line in held] == ["reset", "drop"]
    assert "@held" not in packets.table(5432, 8008)


def test_the_source_of_a_stream_is_read_from_primary_conninfo() -> None:
    assert source_in("user=replicator host=198.18.1.20 port=5432 sslmode=verify-full") == "198.18.1.20"
    assert source_in("dbname=postgres user=x passfile=/x host='east-na1'") == "east-na1"
    assert source_in("") is None


def test_a_busy_etcd_is_asked_ever_less_often() -> None:
    pauses = [pause_after(failures) for failures in range(1, 12)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.5 < pauses[-1] < 10


@given(st.floats(0.2, 1.5), st.lists(st.floats(0.0, 60.0), max_size=20))
def test_a_look_may_take_what_was_declared_or_what_others_took_and_never_for_ever(
    declared: float, took: list[float]
) -> None:
    limit = suspicion.limit(declared, took)
    assert declared <= limit <= suspicion.LONGEST_LIMIT_S
    assert all(limit >= one for one in sorted(took)[:-1] if one < suspicion.LONGEST_LIMIT_S)


def test_one_slow_look_alone_makes_no_other_slower() -> None:
    assert suspicion.limit(0.5, [0.2] * 19 + [1.3]) == 0.5
    assert suspicion.limit(0.5, [0.2] * 18 + [1.0, 1.3]) == 1.0


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
