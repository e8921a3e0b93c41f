from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.onhost.workload_log import Log, outcome_of
from mirrorforce.operations import workload_report as wr

OUTCOMES = ("acknowledged", "rejected", "unknown")


def row(number: int, outcome: str, at: float = 0.0, writer: int = 1) -> dict[str, Any]:
    return {
        "event": "row", "writer": writer, "row": number, "outcome": outcome,
        "monotonic": at, "wall": 1000.0 + at, "said": "", "seconds": 0.1,
    }  # fmt: skip


def log(*events: dict[str, Any]) -> wr.WorkloadLog:
    return wr.parse("".join(json.dumps(event) + "\n" for event in events))


def test_an_acknowledged_row_that_is_gone_is_lost() -> None:
    report = wr.judge(log(row(1, "acknowledged"), row(2, "acknowledged")), [(1, 1)])
    assert report.lost == ((1, 2),)


def test_an_unknown_row_may_be_there_or_not() -> None:
    report = wr.judge(log(row(1, "unknown"), row(2, "unknown")), [(1, 2)])
    assert (report.unknown, report.unknown_present, report.lost, report.impossible) == (2, 1, (), ())


def test_a_rejected_row_that_is_there_is_a_contradiction() -> None:
    assert wr.judge(log(row(1, "rejected")), [(1, 1)]).impossible == ((1, 1),)


def test_a_row_without_a_line_counts_as_unknown() -> None:
    report = wr.judge(log(row(1, "acknowledged")), [(1, 1), (1, 2)])
    assert (report.acknowledged, report.unknown, report.unknown_present) == (1, 1, 1)


def test_a_line_cut_off_by_a_kill_is_left_out() -> None:
    text = json.dumps(row(1, "acknowledged")) + "\n" + json.dumps(row(2, "acknowledged"))[:30]
    assert wr.parse(text).rows("acknowledged") == {(1, 1)}


def test_the_outage_is_the_longest_gap_after_the_fault_seen_by_any_writer() -> None:
    seen = log(
        row(1, "acknowledged", 0), row(2, "acknowledged", 9), row(1, "acknowledged", 9.5, writer=2),
        row(3, "unknown", 15), row(4, "acknowledged", 33), row(5, "acknowledged", 34),
    )  # fmt: skip
    found = wr.outage(seen, since=1009.2)
    assert found == wr.Outage(seconds=23.5, last_before=1009.5, first_after=1033.0)


def test_an_outage_that_has_not_ended_is_none() -> None:
    assert wr.outage(log(row(1, "acknowledged", 1), row(2, "acknowledged", 2)), since=1005) is None


def test_servers_are_named_once_in_order() -> None:
    def connected(address: str) -> dict[str, Any]:
        return {"event": "connected", "writer": 1, "address": address, "monotonic": 0.0, "wall": 0.0}

    assert log(connected("b"), connected("a"), connected("b")).servers == ("b", "a")


@pytest.mark.parametrize(
    ("sqlstate", "outcome"),
    [
        ("25006", "rejected"),
        ("57P03", "rejected"),
        ("57P01", "unknown"),
        ("40001", "unknown"),
        (None, "unknown"),
    ],
)
def test_only_an_error_that_excludes_a_commit_rejects_a_row(sqlstate: str | None, outcome: str) -> None:
    assert outcome_of(sqlstate) == outcome


def test_what_the_log_writes_can_be_read_back() -> None:
    stream = io.StringIO()
    Log(stream).event("row", 3, row=7, outcome="acknowledged")
    assert wr.parse(stream.getvalue()).rows("acknowledged") == {(3, 7)}


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from(OUTCOMES)), unique_by=lambda one: one[0]),
       st.sets(st.integers(1, 40)))  # fmt: skip
def test_every_row_has_one_fate(told: list[tuple[int, str]], present: set[int]) -> None:
    report = wr.judge(log(*(row(number, outcome) for number, outcome in told)), [(1, n) for n in present])
    assert report.acknowledged + report.rejected + report.unknown == len({n for n, _ in told} | present)
    acknowledged = {(1, n) for n, outcome in told if outcome == "acknowledged"}
    assert set(report.lost) == acknowledged - {(1, n) for n in present}
