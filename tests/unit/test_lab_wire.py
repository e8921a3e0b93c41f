"""Delay and loss of a wire, as it is told and as it answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.errors import BadInputError
from mirrorforce.lab.wire import Condition, commands, even, parse

ANSWER = """0000 DATA END WITH '.'
WireFilter: bidirectional
Loss   L->R 3.5+0U   R->L 0+0U
Lburst L->R 0+0U   R->L 0+0U
Delay  L->R 35+0U   R->L 12.5+0U
Bandw  L->R 0+0U   R->L 0+0U
.
1000 Success
"""


def test_what_the_wire_answers_is_understood() -> None:
    assert parse(ANSWER) == Condition(35.0, 12.5, 3.5, 0.0)


def test_an_answer_of_something_else_is_no_condition() -> None:
    assert parse("1038 Function not implemented") is None


@given(st.floats(0, 500, allow_nan=False))
def test_half_of_the_round_trip_goes_each_way(round_trip: float) -> None:
    found = even(round_trip)
    assert found.delay_there_ms == found.delay_back_ms
    assert found.round_trip_ms == pytest.approx(round_trip)


def test_each_direction_is_told_apart() -> None:
    told = commands(Condition(10, 20, 0.5, 100))
    assert told == ("delay LR 10", "delay RL 20", "loss LR 0.5", "loss RL 100")


def test_from_the_other_end_there_is_back() -> None:
    assert Condition(1, 2, 3, 4).reversed() == Condition(2, 1, 4, 3)


@pytest.mark.parametrize("values", [(-1, 0, 0, 0), (0, 0, 101, 0), (0, 0, 0, -0.1)])
def test_a_condition_that_no_wire_can_have_is_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(BadInputError, match="a wire cannot have"):
        Condition(*values)
