"""Whether what a drill expects came true: each expectation both ways."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from mirrorforce.drills import expectations, measure
from mirrorforce.drills.drill import Expectation, Takeover
from mirrorforce.drills.expectations import Found, Leadership
from mirrorforce.drills.history import Event, History
from tests.unit.test_drill_conditions import event

FAULT = 100.0
BEFORE = Leadership("east-na1", 3)


def judged(expect: dict[str, Any], found: Found, *times: float, lost: int = 0) -> dict[str, bool]:
    """Each expectation in words, and whether it is met. Writes were acknowledged at these times."""
    known: dict[str, Any] = {
        "takeover": "any", "lost_rows": 0, "outage": {}, "writes": None, "wal_volume": None,
    }  # fmt: skip
    writes: tuple[Event, ...] = tuple(event(at) for at in times)
    measures = measure.measure(History(writes), FAULT, lost_rows=lost)
    answers = expectations.judge(Expectation(**known | expect), found, measures, writes, FAULT)
    return {one.said: one.met for one in answers}


def found(after: Leadership = BEFORE, **more: Any) -> Found:  # noqa: ANN401
    return Found(BEFORE, after, **more)


OTHER, AGAIN, NOBODY = Leadership("west-na1", 4), Leadership("east-na1", 4), Leadership(None, None)
HOME = Leadership("east-na1", 5)


@pytest.mark.parametrize(
    ("takeover", "after", "met"),
    [
        ("by another member", OTHER, True),
        ("by another member", AGAIN, False),
        ("by another member", NOBODY, False),
        ("by the same member", AGAIN, True),
        ("by the same member", OTHER, False),
        ("there and back", HOME, True),
        ("there and back", AGAIN, False),
        ("there and back", OTHER, False),
        ("there and back", BEFORE, False),
        ("any", BEFORE, True),
        ("any", OTHER, True),
        ("any", NOBODY, False),
        ("none", BEFORE, True),
        ("none", AGAIN, False),
        ("none", OTHER, False),
    ],
)
def test_who_took_over(takeover: Takeover, after: Leadership, met: bool) -> None:  # noqa: FBT001
    said = expectations.TAKEOVERS[takeover]
    assert judged({"takeover": takeover}, found(after), 99, 101)[said] is met


def test_every_takeover_that_a_drill_may_expect_is_judged() -> None:
    assert set(expectations.TAKEOVERS) == set(get_args(Takeover))


def test_rows_that_are_lost_are_no_success() -> None:
    assert judged({}, found(), 99, 101)["0 acknowledged rows lost"]
    assert not judged({}, found(), 99, 101, lost=1)["0 acknowledged rows lost"]


@pytest.mark.parametrize("back", [124.0, 126.0])
def test_how_long_an_outage_may_be_is_not_judged_by_one_repetition(back: float) -> None:
    answers = judged({"outage": {"dns": 25.0}}, found(), 99.5, 99.9, back, back + 0.1)
    assert answers["clients served again by dns"]


def test_an_outage_that_nobody_saw_the_end_of_is_too_long() -> None:
    answers = judged({"outage": {"dns": 25.0, "multi-host": 25.0}}, found(), 99.5, 99.9)
    assert set(answers.values()) == {True, False}
    assert not answers["clients served again by dns"]
    assert not answers["clients served again by multi-host"]


def test_writes_that_go_on_pause_for_no_lease() -> None:
    expect = {"writes": "go on"}
    said = f"writes go on: no pause longer than {expectations.PAUSE_SECONDS:g} s"
    assert judged(expect, found(), 99, 100.5, 103)[said]
    assert not judged(expect, found(), 99, 100.5, 108)[said]
    assert not judged(expect, found(), 99)[said]


def test_writes_that_stop_are_acknowledged_by_nobody_until_it_is_mended() -> None:
    expect = {"writes": "stop"}
    said = "writes stop: none is acknowledged until the fault is mended"
    refused = [(110.0, 130.0)]
    assert judged(expect, found(refused=refused), 99, 131)[said]
    assert not judged(expect, found(refused=refused), 99, 120, 131)[said]
    assert not judged(expect, found(), 99, 131)[said]


@pytest.mark.parametrize(("fullest", "met"), [(79.0, True), (81.0, False), (None, False)])
def test_the_wal_volume_has_a_limit(fullest: float | None, met: bool) -> None:  # noqa: FBT001
    answers = judged({"wal_volume": 80.0}, found(fullest=fullest), 99, 101)
    assert answers["the primary's WAL volume never more than 80 % full"] is met


def test_what_was_waited_for_in_vain_is_not_met() -> None:
    missed = expectations.not_in_time("another member leads", 60, "na1 from nowhere")
    assert judged({}, found(missed=[missed]), 99, 101)["another member leads within 60 s"] is False
