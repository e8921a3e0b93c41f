from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mirrorforce import timings
from mirrorforce.timings import EtcdTimings, Pace
from mirrorforce.workspace import ROOT
from tests.estates import estate, site

if TYPE_CHECKING:
    from mirrorforce.estate import Preset

lab = estate(site("east", 1, "a"), site("west", 2, "b"), site("legacy", 3, "c"))


def adjusted_by_patroni(pace: Pace) -> Pace:
    """What Patroni 4.0.7 makes of dynamic settings, by the rules in its documentation."""
    ttl, loop_wait, retry = max(pace.ttl, 20), max(pace.loop_wait, 1), max(pace.retry_timeout, 3)
    if 1 + 2 * retry > ttl:
        return Pace(ttl, 1, (ttl - 1) // 2)
    return Pace(ttl, min(loop_wait, ttl - 2 * retry), retry)


@example(Pace(ttl=20, loop_wait=2, retry_timeout=9))  # just what the rule allows
@example(Pace(ttl=20, loop_wait=3, retry_timeout=9))
@given(st.builds(Pace, st.integers(1, 90), st.integers(0, 60), st.integers(0, 60)))
def test_a_complaint_is_made_exactly_where_patroni_would_change_something(pace: Pace) -> None:
    assert bool(timings.patroni_complaint(pace)) == (adjusted_by_patroni(pace) != pace)


@pytest.mark.parametrize("pace", timings.PRESETS.values(), ids=timings.PRESETS)
def test_patroni_takes_every_preset_as_it_is(pace: Pace) -> None:
    assert timings.patroni_complaint(pace) == ""


def test_fast_is_patronis_floor_in_what_a_failover_costs() -> None:
    fast = timings.patroni(lab)
    assert (fast.ttl, fast.loop_wait) == (timings.TTL_FLOOR, timings.LOOP_WAIT_FLOOR)


@given(st.floats(0, 1000))
def test_retry_timeout_outlasts_the_longest_election_of_etcd(round_trip_ms: float) -> None:
    least = timings.least_retry_timeout(round_trip_ms, 3)
    assert least * 1000 > 2 * timings.etcd_at(round_trip_ms).election_ms or round_trip_ms == 0


def test_a_dead_primary_gives_way_at_once() -> None:
    assert timings.patroni(lab).primary_start_timeout == 0


def test_a_single_timing_of_the_file_replaces_the_presets() -> None:
    slower = timings.patroni(replace(lab, timing_overrides={"ttl": 40}))
    assert (slower.ttl, slower.loop_wait, slower.retry_timeout) == (40, 1, 5)
    assert slower.wal_sender_timeout_ms == 20_000


@given(st.sampled_from(sorted(timings.PRESETS)), st.integers(20, 3600))
def test_a_hung_standby_is_given_up_before_the_leader_key_would_end(preset: str, ttl: int) -> None:
    paced = timings.patroni(replace(lab, preset=preset, timing_overrides={"ttl": ttl}))  # type: ignore[arg-type]
    assert paced.wal_sender_timeout_ms < paced.ttl * 1000


def test_etcd_at_seventy_milliseconds_is_paced_as_it_was_measured_to_hold() -> None:
    assert timings.etcd(lab) == EtcdTimings(heartbeat_ms=150, election_ms=1500)


@given(st.floats(0, 1000))
def test_etcd_keeps_to_its_tuning_guide(round_trip: float) -> None:
    paced = timings.etcd_at(round_trip)
    assert paced.heartbeat_ms >= max(100, 1.5 * round_trip)
    assert paced.heartbeat_ms < max(101, 1.5 * round_trip + 50)
    assert paced.election_ms >= 10 * max(paced.heartbeat_ms, round_trip)
    assert paced.election_ms <= 50_000  # more than that etcd refuses to start with


def test_only_round_trips_between_voters_count() -> None:
    far = site("dev", 4, "d", mirrored=False)
    with_dev = estate(*lab.sites, far, round_trip_ms=16)
    links = tuple(
        replace(link, round_trip_ms=500) if "dev" in link.between else link for link in with_dev.links
    )
    assert timings.largest_round_trip_ms(replace(with_dev, links=links)) == 16


@given(st.floats(0, 1000), st.sampled_from([3, 5, 7]))
def test_the_least_retry_timeout_holds_an_election_and_a_request_at_every_voter(
    round_trip: float, voters: int
) -> None:
    least = timings.least_retry_timeout(round_trip, voters)
    request_ms = 5 * round_trip
    share_ms = max(1000, least * 1000 / voters)
    assert request_ms <= share_ms + 1e-6
    assert timings.etcd_at(round_trip).election_ms + request_ms <= least * 1000 + 1e-6
    assert least >= 3


def test_a_longer_round_trip_never_asks_for_less() -> None:
    asked = [timings.least_retry_timeout(round_trip, 3) for round_trip in range(0, 1000, 10)]
    assert asked == sorted(asked)
    assert (asked[7], asked[-1]) == (4, 35)


@pytest.mark.parametrize("preset", ["fast", "default"])
def test_the_reference_says_up_to_which_round_trip_a_preset_fits(preset: Preset) -> None:
    text = (ROOT / "docs/reference/estate-file.md").read_text()
    (row,) = (line for line in text.splitlines() if line.startswith(f"| `{preset}` | "))
    retry_timeout = timings.PRESETS[preset].retry_timeout
    largest = max(ms for ms in range(1001) if timings.least_retry_timeout(ms, 3) <= retry_timeout)
    assert f"round trips up to {largest} ms" in row
