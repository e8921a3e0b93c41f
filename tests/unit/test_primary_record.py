from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.onhost.primary_record import (
    Leader,
    Record,
    Seen,
    decide,
    record_in,
    unconfirmed,
    zone_line,
)

MEMBERS = {
    "east-na1": IPv4Address("198.18.1.20"),
    "west-na1": IPv4Address("198.18.2.20"),
    "legacy-na1": IPv4Address("198.18.3.20"),
}
EAST, WEST = Leader("east-na1", 5), Leader("west-na1", 9)

leaders = st.none() | st.builds(
    Leader, st.sampled_from([*MEMBERS, "stranger"]), st.integers(min_value=1, max_value=4)
)
sights = st.builds(Seen, leaders, leaders, st.booleans())
records: st.SearchStrategy[Record] = st.none() | st.sampled_from(list(MEMBERS.values()))


def test_a_confirmed_leader_is_answered() -> None:
    assert decide(MEMBERS, None, Seen(EAST, EAST)) == MEMBERS["east-na1"]


def test_a_leader_that_did_not_confirm_is_not_answered_yet() -> None:
    assert decide(MEMBERS, MEMBERS["east-na1"], Seen(WEST, EAST)) == MEMBERS["east-na1"]


def test_what_a_leader_said_before_it_lost_the_key_does_not_count() -> None:
    again = replace(EAST, revision=11)
    assert decide(MEMBERS, MEMBERS["west-na1"], Seen(again, EAST)) == MEMBERS["west-na1"]
    assert unconfirmed(Seen(again, EAST)) == again


def test_without_a_primary_the_last_one_is_answered() -> None:
    assert decide(MEMBERS, MEMBERS["west-na1"], Seen(None, WEST)) == MEMBERS["west-na1"]


def test_a_lost_majority_gives_the_name_to_the_checks_of_gdnsd() -> None:
    assert decide(MEMBERS, MEMBERS["east-na1"], Seen(EAST, EAST, etcd_lost=True)) is None


def test_a_leader_that_is_no_member_changes_nothing() -> None:
    stranger = Leader("stranger", 3)
    assert decide(MEMBERS, MEMBERS["east-na1"], Seen(stranger, stranger)) == MEMBERS["east-na1"]


def test_nobody_is_to_be_asked_where_nobody_leads() -> None:
    assert unconfirmed(Seen(None, EAST)) is None
    assert unconfirmed(Seen(EAST, EAST)) is None


@given(last=records, story=st.lists(sights, max_size=20))
def test_only_the_last_answer_or_a_confirmed_leader_is_ever_answered(last: Record, story: list[Seen]) -> None:
    for seen in story:
        record = decide(MEMBERS, last, seen)
        led = seen.leader is not None and seen.leader == seen.confirmed
        allowed = {last} | ({MEMBERS.get(seen.leader.name)} if led and seen.leader else set())
        assert record is None or record in allowed
        assert record is not None or seen.etcd_lost or last is None
        last = record


@given(cell=st.from_regex(r"[a-z][a-z0-9]{0,9}", fullmatch=True), record=records)
def test_a_name_has_one_line_with_one_address_and_it_can_be_read_back(cell: str, record: Record) -> None:
    line = zone_line(cell, record)
    assert line.count("\n") == 1
    assert line.split()[0] == cell
    assert sum(str(address) in line for address in MEMBERS.values()) == (record is not None)
    assert record_in(line) == record


@given(st.text(max_size=40))
def test_any_other_line_counts_as_dynamic(text: str) -> None:
    assert record_in(text) is None or record_in(text) == IPv4Address(text.split()[3])
