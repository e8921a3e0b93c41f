from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.drills import measure
from tests.drill_samples import FAULT_AT, event, failover, history, lived

if TYPE_CHECKING:
    from mirrorforce.drills.history import History

ENDS = event(60.0, outcome="rejected", client="transfer-9")
"""An answer that shows how long the clients went on."""


def measured(told: History, *, lost_rows: int = 0, until: float = math.inf) -> measure.Measures:
    return measure.measure(told, FAULT_AT, lost_rows=lost_rows, until=until)


def test_an_outage_is_from_the_last_acknowledgement_before_to_the_first_after() -> None:
    told = history(event(-1.0), event(-0.1), event(2.0, outcome="unknown"), event(21.4), event(21.5))
    outage = measured(told).outages["multi-host"]
    assert outage.seconds == pytest.approx(21.5)
    assert (outage.last_before, outage.first_after) == (FAULT_AT - 0.1, FAULT_AT + 21.4)
    assert outage.ended


def test_any_client_of_a_way_ends_its_outage_and_the_slowest_is_told_beside() -> None:
    told = history(
        event(-0.1), event(-0.1, client="append-2"), event(20.0), event(27.0, client="append-2"), event(27.1)
    )
    measures = measured(told)
    assert measures.outages["multi-host"].seconds == pytest.approx(20.1)
    assert measures.slowest_client["multi-host"].seconds == pytest.approx(27.1)


def test_ways_in_are_measured_apart() -> None:
    told = history(event(-0.1), event(-0.1, way="dns"), event(20.0), event(22.0, way="dns"))
    outages = measured(told).outages
    assert outages["multi-host"].seconds == pytest.approx(20.1)
    assert outages["dns"].seconds == pytest.approx(22.1)


def test_an_outage_that_lasts_to_the_end_has_not_ended() -> None:
    outage = measured(history(event(-0.1), ENDS)).outages["multi-host"]
    assert not outage.ended
    assert outage.seconds == pytest.approx(60.1)
    assert measured(history(event(-0.1), ENDS)).by_kind["append"] is None


def test_clients_that_end_in_good_order_leave_no_outage() -> None:
    told = history(*(event(at / 10) for at in range(-10, 100)), event(10.2, outcome="unknown"))
    outage = measured(told).outages["multi-host"]
    assert outage.ended
    assert outage.seconds == pytest.approx(0.1, abs=1e-5)


def test_a_way_that_was_never_acknowledged_has_no_figure() -> None:
    told = history(event(-0.1), event(0.1), event(1.0, way="dns", outcome="rejected"))
    assert measured(told).outages.keys() == {"multi-host"}


def test_what_the_heal_costs_is_not_the_faults() -> None:
    told = history(event(-0.1), event(3.0), event(40.0), event(49.0))
    assert measured(told, until=FAULT_AT + 2).outages["multi-host"].seconds == pytest.approx(3.1)
    assert measured(told).outages["multi-host"].seconds == pytest.approx(37.0)


def test_a_pause_before_the_fault_is_no_outage() -> None:
    assert measured(history(event(-90.0), event(-0.1), event(0.1))).outages["multi-host"].seconds < 1


def test_reads_and_failed_connections_do_not_end_an_outage_of_writes() -> None:
    told = history(
        event(-0.1), event(1.0, kind="read"), event(2.0, kind="connect"), event(3.0, outcome="rejected"),
        event(9.0), event(9.1, kind="read"),
    )  # fmt: skip
    measures = measured(told)
    assert measures.outages["multi-host"].seconds == pytest.approx(9.1)
    assert measures.by_kind == {"append": pytest.approx(9.1), "read": pytest.approx(8.1)}


def test_silence_is_measured_whatever_the_answer() -> None:
    assert measured(
        history(event(-0.1), event(7.0, took=6.5, outcome="unknown"))
    ).longest_wait == pytest.approx(6.5)


def test_outcomes_are_of_commits_alone() -> None:
    told = history(event(-0.1), event(0.1, outcome="unknown"), event(0.2, kind="connect", outcome="rejected"))
    assert measured(told).outcomes == {"acknowledged": 1, "unknown": 1}


def test_transactions_in_each_others_way_are_no_rejections() -> None:
    conflict = event(0.1, kind="list", outcome="rejected", said="40001 could not serialize access")
    measures = measured(
        history(event(-0.1), conflict, event(0.2, outcome="rejected", said="25006 read-only"))
    )
    assert measures.outcomes == {"acknowledged": 1, "conflict": 1, "rejected": 1}
    assert sum(measures.timeline.rejected) == 1


def test_lost_rows_are_the_checkers() -> None:
    assert measured(history(event(0.0)), lost_rows=3).rpo_rows == 3


def test_rates_are_of_steady_times_before_and_after() -> None:
    measures = measured(lived(failover(20.0)))
    assert measures.before.commits_per_second == pytest.approx(72, abs=8)
    assert measures.after.commits_per_second == pytest.approx(measures.before.commits_per_second, rel=0.15)
    assert measures.before.latency_ms is not None
    assert measures.before.latency_ms.median == pytest.approx(85, abs=5)


def test_nothing_remembered_gives_nothing() -> None:
    measures = measured(history())
    assert not measures.outages
    assert measures.timeline.rejected == ()
    assert measures.before.latency_ms is None


@given(
    st.lists(
        st.tuples(
            st.floats(-20, 60),
            st.sampled_from(["acknowledged", "rejected", "unknown"]),
            st.sampled_from(["dns", "multi-host"]),
            st.sampled_from(["append", "transfer", "list", "read", "connect"]),
        ),
        max_size=60,
    )
)
def test_every_answer_is_in_one_bin_and_bins_begin_at_the_fault(
    found: list[tuple[float, str, str, str]],
) -> None:
    told = history(
        *(event(at, outcome=outcome, way=way, kind=kind) for at, outcome, way, kind in found)  # type: ignore[arg-type]
    )
    timeline = measured(told).timeline
    writes = [one for one in found if one[3] in ("append", "transfer", "list")]
    assert sum(map(sum, timeline.acknowledged.values())) == sum(one[1] == "acknowledged" for one in writes)
    assert sum(timeline.rejected) == sum(one[1] == "rejected" for one in writes)
    assert sum(timeline.unknown) == sum(one[1] == "unknown" for one in writes)
    assert sum(timeline.reads) == sum(one[1] == "acknowledged" and one[3] == "read" for one in found)
    assert (timeline.start / timeline.bin_seconds).is_integer()
    with_latency = [one is not None for one in timeline.latency_ms]
    acknowledged = [any(bins) for bins in zip(*timeline.acknowledged.values(), strict=True)]
    assert with_latency == (acknowledged or [False] * len(with_latency))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40))
def test_a_spread_is_what_statistics_says(figures: list[float]) -> None:
    found = measure.spread(figures)
    assert found is not None
    assert found.median == pytest.approx(statistics.median(figures))
    assert found.maximum == max(figures)
    if len(figures) > 1:
        assert found.p95 == pytest.approx(statistics.quantiles(figures, n=20, method="inclusive")[18])
    assert measure.spread([]) is None
