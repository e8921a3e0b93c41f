"""What agents make of what they ask: looks, sockets, packet filter, a busy etcd."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.onhost.failover_agent import packets, suspicion
from mirrorforce.onhost.failover_agent.neighbours import source_in
from mirrorforce.onhost.failover_agent.patience import pause_after
from mirrorforce.onhost.failover_agent.suspicion import Sample


@given(st.lists(st.builds(Sample, st.booleans(), st.booleans(), st.booleans(), st.booleans()), max_size=12))
def test_suspicion_needs_three_failures_in_a_row_and_never_rest_alone(samples: list[Sample]) -> None:
    streak = 0
    for sample in samples:
        streak = suspicion.streak_after(streak, sample)
    last = samples[-3:]
    expected = len(last) == 3 and all(
        not one.late and not one.rest and not (one.port and one.stream) for one in last
    )
    assert suspicion.suspicious(streak) == expected


def test_sockets_that_lead_to_a_member_are_found_in_the_kernels_table() -> None:
    lines = [
        # walreceiver to 198.18.1.20:5432, established; one whose process is gone; one in TIME_WAIT
        "0: 140212C6:8235 140112C6:1538 01 00000000:00000000 02:00000A4E 00000000 103 0 40123 2 0 20",
        "1: 140212C6:8236 150112C6:1538 04 00000000:00000000 02:00000A4E 00000000   0 0 0 2 0 20",
        "2: 140212C6:8237 160112C6:1538 06 00000000:00000000 02:00000A4E 00000000 103 0 40124 2 0 20",
        # the agent's own look, from one of its ports; a server's socket of our own
        "3: 140212C6:4E21 170112C6:1538 01 00000000:00000000 02:00000A4E 00000000 103 0 40125 2 0 20",
        "4: 140212C6:1538 180112C6:9999 01 00000000:00000000 02:00000A4E 00000000 103 0 40126 2 0 20",
    ]  # fmt: skip
    assert packets.linked_addresses(lines, 5432) == {"198.18.1.20"}


def test_a_boot_blocks_streams_alone_so_that_a_cold_cell_can_vote() -> None:
    text = packets.table(5432, 8008, booting=["198.18.1.20"])
    assert "booting { 198.18.1.20 }" in text
    booting = [line for line in text.splitlines() if "@booting" in line]
    assert len(booting) == 2
    assert not [line for line in booting if "8008" in line]


def test_clients_are_held_and_members_are_not() -> None:
    held = [
        line for line in packets.table(5432, 8008, members=["198.18.1.20"]).splitlines() if "@held" in line
    ]
    assert all("ip saddr != { 198.18.1.20 }" in line for line in held)
    assert [line.rsplit(" ", 1)[1] for line in held] == ["reset", "drop"]
    assert "@held" not in packets.table(5432, 8008)


def test_the_source_of_a_stream_is_read_from_primary_conninfo() -> None:
    assert source_in("user=replicator host=198.18.1.20 port=5432 sslmode=verify-full") == "198.18.1.20"
    assert source_in("dbname=postgres user=x passfile=/x host='east-na1'") == "east-na1"
    assert source_in("") is None


def test_a_busy_etcd_is_asked_ever_less_often() -> None:
    pauses = [pause_after(failures) for failures in range(1, 12)]
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.5 < pauses[-1] < 10


@given(st.floats(0.2, 1.5), st.lists(st.floats(0.0, 60.0), max_size=20))
def test_a_look_may_take_what_was_declared_or_what_others_took_and_never_for_ever(
    declared: float, took: list[float]
) -> None:
    limit = suspicion.limit(declared, took)
    assert declared <= limit <= suspicion.LONGEST_LIMIT_S
    assert all(limit >= one for one in sorted(took)[:-1] if one < suspicion.LONGEST_LIMIT_S)


def test_one_slow_look_alone_makes_no_other_slower() -> None:
    assert suspicion.limit(0.5, [0.2] * 19 + [1.3]) == 0.5
    assert suspicion.limit(0.5, [0.2] * 18 + [1.0, 1.3]) == 1.0


def test_a_voter_that_nobody_is_to_wait_for_is_turned_away_on_the_way_out_alone() -> None:
    (rule,) = [line for line in packets.table(5432, 8008).splitlines() if "@skipped" in line]
    assert rule == f"add rule {packets.TABLE} output ip daddr . tcp dport @skipped reject with tcp reset"
