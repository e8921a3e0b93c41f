from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.drills import availability


def drill(*acknowledged: list[int], width: float = 0.25) -> dict[str, Any]:
    """A drill with a repetition for each list of commits a bin."""
    repetitions = [
        {"timeline": {"bin_seconds": width, "acknowledged": {"dns": counts, "multi_host": counts}}}
        for counts in acknowledged
    ]
    return {"repetitions": repetitions}


def test_a_second_without_an_acknowledgement_is_unavailable() -> None:
    counts = [3] * 8 + [0] * 8 + [3] * 4
    found = availability.of_drills([drill(counts)], "dns")
    assert (found.observed, found.unavailable, found.faults) == (5.0, 2.0, 1)
    assert found.availability == pytest.approx(0.6)


def test_a_pause_within_a_second_is_none() -> None:
    found = availability.of_drills([drill([1, 0, 0, 0, 0, 0, 0, 1])], "dns")
    assert found.unavailable == 0


def test_what_was_not_carried_out_is_not_counted() -> None:
    skipped = {"repetitions": [{"timeline": None}]}
    found = availability.of_drills([skipped], "dns")
    assert (found.observed, found.faults, found.availability, found.mean_outage) == (0, 0, None, None)
    assert availability.document([skipped]) == {"multi_host": None, "dns": None}


def test_the_error_budget_says_how_many_such_faults_fit() -> None:
    outage = [1] * 4 + [0] * 4 * 24 + [1] * 4
    found = availability.of_drills([drill(outage)], "dns")
    fits = {budget.objective: budget.faults_that_fit for budget in found.budgets}
    assert fits == {0.999: 108, 0.9995: 54, 0.9999: 10}  # 2592, 1296 and 259.2 s in 30 days, 24 s each
    assert found.at_one_a_month == pytest.approx(1 - 12 * 24 / (365 * 86400))


@given(st.lists(st.lists(st.integers(0, 3), max_size=60), max_size=5))
def test_availability_is_a_share(histories: list[list[int]]) -> None:
    found = availability.of_drills([drill(*histories)], "dns")
    assert 0 <= found.unavailable <= found.observed
    assert found.availability is None or 0 <= found.availability <= 1
