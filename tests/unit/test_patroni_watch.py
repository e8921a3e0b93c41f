"""When a Patroni that says nothing is killed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.onhost import patroni_watch
from mirrorforce.onhost.patroni_watch import Judge

Look = tuple[float, bool, int]


def kills(*looks: Look, limit: float = 8.0) -> list[float]:
    """The moments at which these looks (when, answers, process) have it killed."""
    judge = Judge(limit)
    return [now for now, well, main in looks if judge.hangs(now, answers=well, main=main)]


def test_one_that_says_nothing_any_more_is_killed_once() -> None:
    assert kills((0, True, 0), (4, False, 7), (8, False, 7), (12, False, 7), (16, False, 7)) == [8]


def test_one_that_has_never_answered_only_starts() -> None:
    assert kills(*((4.0 * step, False, 7) for step in range(20))) == []


def test_the_next_process_is_waited_for_as_well() -> None:
    assert kills((0, True, 0), (4, False, 7), (8, False, 8), (12, False, 8), (16, False, 8)) == []


def test_one_that_is_stopped_or_ends_is_left_alone() -> None:
    assert kills((0, True, 0), (4, False, 0), (8, False, 0), (12, False, 7), (16, False, 7)) == []


def test_a_host_that_stood_still_begins_to_count_anew() -> None:
    assert kills((0, True, 0), (60, False, 7), (64, False, 7)) == []
    assert kills((0, True, 0), (60, False, 7), (64, False, 7), (68, False, 7)) == [68]


STEPS = st.lists(st.tuples(st.floats(0.5, 30), st.booleans(), st.sampled_from([0, 7, 8])), max_size=40)


@given(STEPS)
def test_nobody_is_killed_who_answered_within_the_limit_or_does_not_run(
    steps: list[tuple[float, bool, int]],
) -> None:
    judge, now, answered = Judge(8.0), 0.0, None
    for gap, well, main in steps:
        now += gap
        answered = now if well else answered
        if judge.hangs(now, answers=well, main=main):
            assert main
            assert answered is not None
            assert now - answered >= 8.0


@pytest.mark.parametrize(
    ("shown", "process"),
    [
        ("ActiveState=active\nMainPID=42\n", 42),
        ("ActiveState=deactivating\nMainPID=42\n", 0),
        ("ActiveState=inactive\nMainPID=0\n", 0),
    ],
)
def test_a_unit_that_is_being_stopped_has_no_process_to_kill(
    shown: str, process: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patroni_watch, "output_of", lambda _: shown)
    assert patroni_watch.main_process() == process
