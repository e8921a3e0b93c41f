"""What the clients ask for, without any server; and how they lose patience with one."""

from __future__ import annotations

import socket
import threading
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.onhost import workload_tables
from mirrorforce.onhost.workload_clients import APPENDS_PER_LIST, LISTS_AT_ONCE, Keys, makers
from mirrorforce.onhost.workload_log import Question
from mirrorforce.onhost.workload_patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirrorforce.onhost.workload_log import Answer


class Session:
    """Takes every statement, and knows what it was; lists hold one element."""

    def __init__(self) -> None:
        self.statements: list[tuple[str, Any]] = []

    def write(self, work: Callable[[Any], None]) -> Answer:
        work(self)
        return Question().answered("acknowledged")

    read = transaction = write

    def execute(self, statement: str, values: object = None) -> None:
        self.statements.append((statement, values))

    def fetchone(self) -> tuple[object, int]:
        return (["lists-9/1"], 20_000) if "select elements" in self.statements[-1][0] else (5, 20_000)


def asked(kind: str, times: int) -> tuple[list[dict[str, Any]], Session]:
    session: Any = Session()
    client = makers("run")[kind](f"{kind}-1", 0.0)
    return [client.ask(session)[1] for _ in range(times)], session


def test_rows_are_numbered_without_a_gap() -> None:
    events, session = asked("appends", 5)
    assert [event["row"] for event in events] == [1, 2, 3, 4, 5]
    assert [values[:3] for _, values in session.statements] == [("run", "appends-1", n) for n in range(1, 6)]


def test_transfers_lock_accounts_in_one_order_and_go_both_ways() -> None:
    events, session = asked("transfers", 200)
    assert all(1 <= e["debit"] < e["credit"] <= workload_tables.ACCOUNTS for e in events)
    assert {event["amount"] > 0 for event in events} == {True, False}
    assert all(event["amount"] for event in events)
    assert len(session.statements) == len(events)


def test_transactions_on_lists_append_each_value_once_and_lock_in_one_order() -> None:
    events, session = asked("lists", 300)
    operations = [event["ops"] for event in events]
    values = [value for each in operations for what, _, value in each if what == "append"]
    assert len(values) == len(set(values))
    assert all(
        keys == sorted(keys)
        for keys in ([int(key) for what, key, _ in each if what == "append"] for each in operations)
    )
    assert {what for each in operations for what, _, _ in each} == {"append", "read"}
    assert all(value == ["lists-9/1"] for each in operations for what, _, value in each if what == "read")
    begins = [statement.startswith(workload_tables.BEGIN_LIST) for statement, _ in session.statements]
    assert sum(begins) == len(events)


def test_a_reader_sees_row_and_total_of_one_moment() -> None:
    events, session = asked("readers", 1)
    assert events == [{"newest": 5, "total": 20_000}]
    assert len(session.statements) == 1


@given(st.lists(st.integers(0, 4), min_size=1, max_size=600))
def test_a_full_list_gives_way_to_a_new_one(plans: list[int]) -> None:
    keys = Keys()
    windows = [keys.window(appends=appends) for appends in plans]
    assert all(len(window) == LISTS_AT_ONCE for window in windows)
    assert all(before.start <= after.start for before, after in pairwise(windows))
    assert windows[-1].start == sum(plans) // (LISTS_AT_ONCE * APPENDS_PER_LIST) * LISTS_AT_ONCE


def test_whoever_waits_too_long_finds_the_connection_ended() -> None:
    near, far = socket.socketpair()
    with near, far, Patience(0.01) as patience, patience.limit(near.fileno()):
        assert near.recv(1) == b""
        assert far.recv(1) == b""


def test_whoever_has_the_answer_keeps_the_connection() -> None:
    near, far = socket.socketpair()
    with near, far:
        with Patience(60.0) as patience:
            with patience.limit(near.fileno()):
                pass
            with patience.limit(near.fileno()):
                far.send(b"x")
                assert near.recv(1) == b"x"
        far.send(b"y")
        assert near.recv(1) == b"y"


def test_a_descriptor_that_is_used_again_is_somebody_elses() -> None:
    """libpq closes its socket when the connection ends, and the next one gets the same number."""
    near, far = socket.socketpair()
    with far, Patience(0.01) as patience:
        number = near.fileno()
        with patience.limit(number):
            near.close()
            other, another = socket.socketpair()
            assert other.fileno() == number
            assert far.recv(1) == b""
            another.send(b"x")
            assert other.recv(1) == b"x"
            other.close()
            another.close()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_and_no_thread_is_left() -> None:
    before, threads = _open_files(), threading.active_count()
    near, far = socket.socketpair()
    with Patience(60.0) as patience:
        for _ in range(50):
            with patience.limit(near.fileno()):
                pass
    near.close()
    far.close()
    assert (_open_files(), threading.active_count()) == (before, threads)
