from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.drills import final, history
from mirrorforce.drills.history import Append, Read, Transfer
from mirrorforce.errors import MirrorforceError
from mirrorforce.onhost.workload_log import Answer, Log


def line(kind: str = "connect", **facts: object) -> dict[str, Any]:
    return {
        "kind": kind, "client": "appends-1", "way": "dns", "server": "198.18.1.20", "timeline": 4,
        "outcome": "acknowledged", "said": "", "began": 1.0, "at": 2.0, "mono_began": 11.0, "mono_at": 12.0,
        **facts,
    }  # fmt: skip


def text(*lines: dict[str, Any]) -> str:
    return "".join(json.dumps(each) + "\n" for each in lines)


ASKED: dict[str, dict[str, Any]] = {
    "append": {"row": 7},
    "transfer": {"number": 3, "debit": 1, "credit": 2, "amount": -5},
    "list": {"ops": [["append", "k", "lists-1/1"], ["read", "k", ["lists-1/1"]], ["read", "x", None]]},
    "read": {"newest": 9, "total": 2000},
    "connect": {},
}


@given(
    st.sampled_from(sorted(ASKED)),
    st.sampled_from(["acknowledged", "rejected", "unknown"]),
    st.text(),
    st.none() | st.integers(1, 99),
)
def test_what_a_client_writes_is_read_back(kind: str, outcome: str, said: str, timeline: int | None) -> None:
    stream = io.StringIO()
    answer = Answer(outcome, said, 1.0, 2.0, 11.0, 12.5)
    Log(stream).event(kind, "lists-1", "multi-host", None, timeline, answer, **ASKED[kind])
    assert stream.getvalue().count("\n") == 1
    (event,) = history.parse(stream.getvalue()).events
    assert (event.kind, event.outcome, event.said, event.timeline) == (kind, outcome, said, timeline)
    assert (event.way, event.server, event.seconds, event.acknowledged) == (
        "multi-host", None, 1.5, outcome == "acknowledged",
    )  # fmt: skip


def test_each_kind_says_what_was_asked_for() -> None:
    events = history.parse(text(*(line(kind, **asked) for kind, asked in ASKED.items()))).events
    by_kind = {event.kind: event for event in events}
    assert by_kind["append"].row == 7
    assert by_kind["transfer"].transfer == Transfer(3, 1, 2, -5)
    assert by_kind["list"].operations == (
        Append("k", "lists-1/1"), Read("k", ("lists-1/1",)), Read("x", None),
    )  # fmt: skip
    assert (by_kind["read"].newest, by_kind["read"].total) == (9, 2000)


def test_only_what_changes_the_database_is_a_write() -> None:
    reads_only = line("list", ops=[["read", "k", []]])
    events = history.parse(text(*(line(kind, **asked) for kind, asked in ASKED.items()), reads_only)).events
    assert [event.writes for event in events] == [True, True, True, False, False, False]


def test_events_stand_in_the_order_of_their_answers() -> None:
    found = history.parse(text(line(mono_at=5.0), line(mono_at=3.0), line(mono_at=4.0)))
    assert [event.mono_at for event in found.events] == [3.0, 4.0, 5.0]


def test_a_last_line_that_a_kill_cut_off_is_left_out() -> None:
    whole = text(line(), line())
    for length in range(len(whole) // 2, len(whole)):
        assert len(history.parse(whole[:length]).events) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        "no JSON", "[]", "{}", json.dumps(line("append")), json.dumps(line("list", ops=[["swap", "k", "v"]])),
        json.dumps(line(outcome="perhaps")), json.dumps(line(way="by luck")), json.dumps(line("guess")),
        json.dumps({**line(), "mono_at": None}),
    ],
)  # fmt: skip
def test_any_other_line_that_is_no_event_is_an_error_with_its_number(wrong: str) -> None:
    with pytest.raises(MirrorforceError, match="line 2 of the history is no event"):
        history.parse(text(line()) + wrong + "\n")


def test_the_end_is_read_from_what_psql_prints() -> None:
    printed = json.dumps(
        {
            "rows": [["appends-1", 1], ["appends-2", 1]],
            "transfers": [["transfers-1", 1, 4, 2, -9]],
            "accounts": [[2, 1000, 991], [4, 1000, 1009]],
            "lists": {"0": ["lists-1/1"]},
        }
    )
    found = final.parse(printed)
    assert found.rows == (("appends-1", 1), ("appends-2", 1))
    assert found.transfers == (("transfers-1", Transfer(1, 4, 2, -9)),)
    assert (found.openings, found.balances) == ({2: 1000, 4: 1000}, {2: 991, 4: 1009})
    assert found.lists == {"0": ("lists-1/1",)}
