"""Who has enough to lead: floors, and the gate that Patroni asks."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.onhost.etcd import KeyValue
from mirrorforce.onhost.failover_agent import coordination, floors, may_promote
from mirrorforce.onhost.failover_agent.coordination import Close, Refuse, Release
from mirrorforce.onhost.failover_agent.keys import Compare, Put
from mirrorforce.onhost.failover_agent.view import Floor, Leader, Promise, Round, Sync, View, Vote
from tests.agent_samples import CELL, PACE, SEES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOTH = frozenset({"s1", "s2"})
SYNC = Sync("old", BOTH, 1, 50, version=7)
FLOOR = Floor(100, 50, 7, BOTH, 1, revision=51)
LED = View(Leader("old", 40), SYNC, alive=BOTH | {"old"}, floor=FLOOR)
ROUND = Round("s1", "old", 40, 50, revision=60)
PROMISES = {name: Promise("old", 40, 50, 100, heir=True, revision=61) for name in BOTH}
VOTES = {name: Vote("old", 40, f"site of {name}") for name in BOTH}
PROMISED = replace(LED, round=ROUND, promises=PROMISES, votes=VOTES)
SHRUNK = Sync("old", frozenset({"s1"}), 0, 55, version=8)


def test_only_who_has_the_floor_of_the_present_sync_may_lead() -> None:
    vacant = replace(LED, leader=None)
    assert floors.against("s1", vacant, 100) == ""
    assert "it has 63, and rows up to 64 may have been" in floors.against("s1", vacant, 99)
    assert floors.against("s1", vacant, None) == "PostgreSQL does not say what it has"
    late = replace(vacant, sync=SHRUNK)
    assert "the agent of old has not said" in floors.against("s1", late, 1000)


def test_nothing_is_asked_of_whom_it_was_never_said_or_of_the_last_primary_itself() -> None:
    low = 1
    for view in (
        replace(LED, floor=None),
        replace(LED, sync=None),
        replace(LED, sync=replace(SYNC, leader="")),
        replace(LED, maintenance=True),
    ):
        assert floors.against("s1", view, low) == ""
    assert floors.against("old", LED, low) == ""


def test_the_primary_owes_a_floor_for_each_sync_that_it_wrote() -> None:
    assert not floors.owed("old", LED)
    assert floors.owed("old", replace(LED, sync=SHRUNK))
    assert floors.owed("old", replace(LED, floor=None))
    assert not floors.owed("s1", replace(LED, sync=SHRUNK))
    assert not floors.owed("s1", replace(LED, leader=Leader("s1", 70), sync=SHRUNK)), "not its own /sync yet"


def test_a_shorter_list_asks_for_all_that_the_primary_has_written() -> None:
    assert floors.of_sync(SHRUNK, FLOOR, 170) == Floor(170, 55, 8, frozenset({"s1"}), 0)


def test_a_longer_list_asks_for_no_more_than_the_one_right_before_it() -> None:
    floor = floors.of_sync(SHRUNK, FLOOR, 170)
    longer = Sync("old", BOTH, 1, 58, version=9)
    assert floors.of_sync(longer, floor, 200).position == 170
    missed = replace(longer, version=10)
    assert floors.of_sync(missed, floor, 200).position == 200, "a write between is not known"
    assert floors.of_sync(replace(longer, quorum=0), floor, 200).position == 200, "one of them may be missing"
    assert floors.of_sync(longer, None, 200).position == 200


voters = st.frozensets(st.sampled_from(["s1", "s2", "s3"]), min_size=1)


@given(st.lists(st.tuples(voters, st.booleans(), st.integers(1, 50)), min_size=1, max_size=8))
def test_a_floor_is_never_below_what_was_on_disk_when_a_voter_went(
    writes: list[tuple[frozenset[str], bool, int]],
) -> None:
    """Over any run of /sync, of which the agent misses some: the floor covers each loss of a voter."""
    floor, flushed, lost_at, before = None, 0, 0, frozenset[str]()
    for number, (listed, missed, more) in enumerate(writes, 1):
        flushed += more
        if not before <= listed:
            lost_at = flushed
        before = listed
        if not missed:
            sync = Sync("old", listed, len(listed) - 1, 100 + number, version=number)
            floor = floors.of_sync(sync, floor, flushed)
            assert floor.position >= lost_at
            assert floor.is_of(sync)


def test_a_release_writes_the_floor_of_the_sync_that_it_writes() -> None:
    sent = CELL.release(PROMISED, ROUND, PROMISES, "{}", "s1")
    put = next(one for one in sent.operations if one.key == CELL.floor)
    assert isinstance(put, Put)
    sync = KeyValue(CELL.patroni("sync"), '{"leader": "old"}', 90, 8)
    found = [KeyValue(CELL.floor, put.value, 90, 3), sync]
    view = CELL.read(found, "s1")
    assert view.sync is not None
    assert view.floor is not None
    assert view.floor.is_of(view.sync)
    assert view.floor.position == 100


def test_the_primarys_word_stands_only_while_it_leads_by_that_sync() -> None:
    sent = CELL.put_floor(LED, FLOOR)
    assert {Compare("/service/na1/sync", 50), Compare("/service/na1/leader", 40)} <= set(sent.compares)
    put = sent.operations[0]
    assert isinstance(put, Put)
    assert CELL.read([KeyValue(CELL.floor, put.value, 51, 1)], "s1").floor == FLOOR


def test_no_key_is_released_for_members_that_may_lack_rows() -> None:
    step = coordination.next_step("s1", PROMISED, SEES, PACE)
    assert isinstance(step, Release)
    higher = replace(PROMISED, floor=replace(FLOOR, position=101))
    step = coordination.next_step("s1", higher, SEES, PACE)
    assert isinstance(step, Close)
    assert "none may lead: it has 64, and rows up to 65" in step.why


def test_no_round_opens_while_it_is_not_known_what_has_to_be_had() -> None:
    waiting = replace(LED, votes=VOTES, floor=replace(FLOOR, sync_revision=49))
    step = coordination.next_step("s1", waiting, SEES, PACE)
    assert isinstance(step, Refuse)
    assert "the agent of old has not said" in step.why


@pytest.mark.parametrize("text", ["", "{}", "[]", "no json"])
def test_what_is_no_floor_counts_as_none(text: str) -> None:
    assert CELL.read([KeyValue(CELL.floor, text, 51, 1)], "s1").floor is None


@pytest.mark.parametrize(
    ("failover", "it_is"),
    [
        ('{"member": "s1"}', True),
        ('{"member": "s2"}', False),
        ('{"leader": "old", "member": "s1"}', False),
        (None, False),
        ("", False),
        ("no json", False),
    ],
)
def test_a_person_orders_by_a_failover_that_names_no_leader(failover: str | None, *, it_is: bool) -> None:
    assert floors.ordered("s1", failover) is it_is


@contextmanager
def agent_that_says(monkeypatch: pytest.MonkeyPatch, folder: Path, said: bytes) -> Iterator[None]:
    """A socket that gives every caller this answer."""
    path = folder / "gate"
    monkeypatch.setattr(may_promote, "SOCKET", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            with listener.accept()[0] as asks:
                asks.sendall(said)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(5.0)


@pytest.mark.parametrize(("said", "status"), [(b"yes", 0), (b"no", 1), (b"", 0)])
def test_patroni_promotes_unless_the_agent_says_no(
    said: bytes, status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with agent_that_says(monkeypatch, tmp_path, said):
        assert may_promote.main() == status


def test_without_an_agent_patronis_own_rules_apply(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(may_promote, "SOCKET", str(tmp_path / "gate"))
    assert may_promote.main() == 0
    assert "Patroni's own rules apply" in capsys.readouterr().err


def test_an_agent_that_just_died_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "gate"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    monkeypatch.setattr(may_promote, "SOCKET", str(path))
    monkeypatch.setattr(time, "sleep", lambda _: path.unlink(missing_ok=True))
    with pytest.raises(FileNotFoundError):
        may_promote.answer()
