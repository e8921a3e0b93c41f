from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.drills import history
from mirrorforce.onhost.workload_log import Log, Question, outcome_of
from mirrorforce.operations import workload_report as wr

if TYPE_CHECKING:
    from mirrorforce.drills.history import History

OUTCOMES = ("acknowledged", "rejected", "unknown")
W = "appends-1"


def row(number: int, outcome: str, at: float = 0.0, writer: str = "appends-1") -> dict[str, Any]:
    return {
        "kind": "append", "client": writer, "way": "dns", "server": "198.18.1.20", "timeline": 1,
        "outcome": outcome, "said": "", "row": number,
        "began": 999.9 + at, "at": 1000.0 + at, "mono_began": at - 0.1, "mono_at": at,
    }  # fmt: skip


def connected(address: str, at: float) -> dict[str, Any]:
    return {**row(1, "acknowledged", at), "kind": "connect", "server": address}


def log(*events: dict[str, Any]) -> History:
    return history.parse("".join(json.dumps(event) + "\n" for event in events))


def test_an_acknowledged_row_that_is_gone_is_lost() -> None:
    report = wr.judge(log(row(1, "acknowledged"), row(2, "acknowledged")), [(W, 1)])
    assert report.lost == ((W, 2),)


def test_an_unknown_row_may_be_there_or_not() -> None:
    report = wr.judge(log(row(1, "unknown"), row(2, "unknown")), [(W, 2)])
    assert (report.unknown, report.unknown_present, report.lost, report.impossible) == (2, 1, (), ())


def test_a_rejected_row_that_is_there_is_a_contradiction() -> None:
    assert wr.judge(log(row(1, "rejected")), [(W, 1)]).impossible == ((W, 1),)


def test_a_row_without_a_line_counts_as_unknown() -> None:
    report = wr.judge(log(row(1, "acknowledged")), [(W, 1), (W, 2)])
    assert (report.acknowledged, report.unknown, report.unknown_present) == (1, 1, 1)


def test_a_line_cut_off_by_a_kill_is_left_out() -> None:
    text = json.dumps(row(1, "acknowledged")) + "\n" + json.dumps(row(2, "acknowledged"))[:30]
    assert wr.rows_told(history.parse(text), "acknowledged") == {(W, 1)}


def test_the_outage_is_the_longest_gap_after_the_fault_seen_by_any_writer() -> None:
    seen = log(
        row(1, "acknowledged", 0), row(2, "acknowledged", 9), row(1, "acknowledged", 9.5, writer="appends-2"),
        row(3, "unknown", 15), row(4, "acknowledged", 33), row(5, "acknowledged", 34),
    )  # fmt: skip
    found = wr.outage(seen, since=1009.2)
    assert found == wr.Outage(seconds=23.5, last_before=1009.5, first_after=1033.0)


def test_an_outage_that_has_not_ended_is_none() -> None:
    assert wr.outage(log(row(1, "acknowledged", 1), row(2, "acknowledged", 2)), since=1005) is None


def test_servers_are_named_once_in_order() -> None:
    assert log(connected("b", 1), connected("a", 2), connected("b", 3)).servers == ("b", "a")


@pytest.mark.parametrize(
    ("sqlstate", "severity", "commit_asked", "outcome"),
    [
        ("25006", "ERROR", True, "rejected"),
        ("57P03", "FATAL", True, "rejected"),
        ("40001", "ERROR", True, "rejected"),
        ("57P01", "FATAL", True, "unknown"),
        (None, None, True, "unknown"),
        ("57P01", "FATAL", False, "rejected"),
        (None, None, False, "rejected"),
    ],
)
def test_only_an_error_that_excludes_a_commit_rejects(
    sqlstate: str | None, severity: str | None, *, commit_asked: bool, outcome: str
) -> None:
    assert outcome_of(sqlstate, severity, commit_asked=commit_asked) == outcome


def test_what_the_log_writes_can_be_read_back() -> None:
    stream = io.StringIO()
    Log(stream).event("append", W, "dns", "198.18.1.20", 1, Question().answered("acknowledged"), row=7)
    assert wr.rows_told(history.parse(stream.getvalue()), "acknowledged") == {(W, 7)}


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from(OUTCOMES)), unique_by=lambda one: one[0]),
       st.sets(st.integers(1, 40)))  # fmt: skip
def test_every_row_has_one_fate(told: list[tuple[int, str]], present: set[int]) -> None:
    report = wr.judge(log(*(row(number, outcome) for number, outcome in told)), [(W, n) for n in present])
    assert report.acknowledged + report.rejected + report.unknown == len({n for n, _ in told} | present)
    acknowledged = {(W, n) for n, outcome in told if outcome == "acknowledged"}
    assert set(report.lost) == acknowledged - {(W, n) for n in present}
