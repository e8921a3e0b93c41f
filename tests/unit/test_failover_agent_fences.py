"""When a member fences itself off, promises, and lifts its fence."""

from __future__ import annotations

from dataclasses import replace

from mirrorforce.onhost.failover_agent import fencing, rules
from mirrorforce.onhost.failover_agent.fencing import Block, EndStream, Give, Withdraw
from mirrorforce.onhost.failover_agent.view import Leader, Local, Promise
from tests.agent_samples import (
    FENCED,
    OPENED,
    PROMISED,
    QUIET,
    ROUND,
)


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
