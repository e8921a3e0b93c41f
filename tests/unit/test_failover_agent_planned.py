"""A planned switchover by failover agents: who consents, and what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mirrorforce.onhost.failover_agent import coordination
from mirrorforce.onhost.failover_agent.coordination import Close, Known, Open, Refuse
from mirrorforce.onhost.failover_agent.view import Leader, Promise, Round, View
from tests.agent_samples import (
    ABLE,
    CALM,
    CONSENTED,
    IDLE,
    PACE,
    PLANNED,
    PROMISES,
    QUIET,
    RELEASED_SYNC,
    ROUND,
    SYNC,
    release,
)


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
