"""Every timing of the estate, from one preset and the round trips of the estate file.

Patroni's rules are those of its 4.0.7 (`config._validate_and_adjust_timeouts`): ttl >= 20, loop_wait >= 1,
retry_timeout >= 3, loop_wait + 2 * retry_timeout <= ttl. Outside of them it changes the values without
asking; so `patroni_complaint` refuses them first.

etcd's rules are those of its tuning guide: a heartbeat of about the largest round trip between voters
(0.5 to 1.5 of it), an election timeout of at least ten of them, the same on all voters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mirrorforce.estate import Estate, Preset

TTL_FLOOR = 20
LOOP_WAIT_FLOOR = 1
RETRY_TIMEOUT_FLOOR = 3

# Round trips of one Patroni request to etcd at its worst: TCP, TLS 1.3, the request itself; then the voter
# that was asked hands it to etcd's leader, and the leader waits for a majority.
ROUND_TRIPS_OF_A_REQUEST = 5

_HEARTBEAT_FLOOR_MS = 100
_HEARTBEAT_STEP_MS = 50
_HEARTBEATS_OF_AN_ELECTION = 10
_LONGEST_ELECTION = 2
"""Raft draws each voter's election timeout at random between one and two of the configured one."""
_MEMBER_SLOTS_TTL = 24 * 3600


@dataclass(frozen=True, slots=True)
class Pace:
    """Patroni's three timings that a preset names, in seconds."""

    ttl: int
    loop_wait: int
    retry_timeout: int


@dataclass(frozen=True, slots=True)
class PatroniTimings:
    """Timings of Patroni, in seconds, and of PostgreSQL below it, in milliseconds where the name says so.

    primary_start_timeout: 0, so that a primary whose PostgreSQL dies gives way at once; Patroni's own 300
        lets it try to start for so long.
    member_slots_ttl: how long WAL is kept for a member that is gone. Patroni's own 30 minutes turn a site
        that is down for an evening into one to be copied anew; `max_slot_wal_keep_size` guards the disk.
    wal_sender_timeout_ms, wal_receiver_timeout_ms: half of the ttl. Where every standby must acknowledge,
        a hung one holds up commits for so long; shorter than the ttl, so that it costs no failover.
    tcp_user_timeout_ms: retry_timeout. A peer that took no data for so long is gone for Patroni as well.
    """

    ttl: int
    loop_wait: int
    retry_timeout: int
    primary_start_timeout: int
    member_slots_ttl: int
    wal_sender_timeout_ms: int
    wal_receiver_timeout_ms: int
    tcp_user_timeout_ms: int


@dataclass(frozen=True, slots=True)
class EtcdTimings:
    """Timings of etcd in milliseconds, the same on every voter."""

    heartbeat_ms: int
    election_ms: int


# fast: Patroni's floor of ttl and loop_wait, which are what a lost site costs: about 24 s by Patroni alone
#   (measured at 70 ms). retry_timeout costs nothing there; at its floor of 3 s the loss of etcd's leader in a
#   standby's site made a healthy primary step down for 8 s (docs/adr/0005).
# default: Patroni's own ttl and retry_timeout, and half of its loop_wait, so that the rule leaves 5 s spare.
# wide: twice the default, for links that lose packets or take seconds to settle.
PRESETS: Mapping[Preset, Pace] = {
    "fast": Pace(ttl=20, loop_wait=1, retry_timeout=5),
    "default": Pace(ttl=30, loop_wait=5, retry_timeout=10),
    "wide": Pace(ttl=60, loop_wait=10, retry_timeout=20),
}

WITH_AGENTS: frozenset[Preset] = frozenset({"fast", "default"})
"""Presets with failover agents unless the estate file says otherwise; `wide` is for links that they were not
measured on."""


def pace(preset: Preset, overrides: Mapping[str, int]) -> Pace:
    """The preset's timings with single ones replaced."""
    row = PRESETS[preset]
    return Pace(
        ttl=overrides.get("ttl", row.ttl),
        loop_wait=overrides.get("loop_wait", row.loop_wait),
        retry_timeout=overrides.get("retry_timeout", row.retry_timeout),
    )


def patroni(estate: Estate) -> PatroniTimings:
    """Timings of every cell's Patroni."""
    chosen = pace(estate.preset, estate.timing_overrides)
    return PatroniTimings(
        ttl=chosen.ttl,
        loop_wait=chosen.loop_wait,
        retry_timeout=chosen.retry_timeout,
        primary_start_timeout=0,
        member_slots_ttl=_MEMBER_SLOTS_TTL,
        wal_sender_timeout_ms=chosen.ttl * 500,
        wal_receiver_timeout_ms=chosen.ttl * 500,
        tcp_user_timeout_ms=chosen.retry_timeout * 1000,
    )


def etcd(estate: Estate) -> EtcdTimings:
    """Timings of the estate's etcd voters."""
    return etcd_at(largest_round_trip_ms(estate))


def etcd_at(round_trip_ms: float) -> EtcdTimings:
    """Timings of etcd for voters `round_trip_ms` apart; 150/1500 at 70 ms, as measured to hold.

    The heartbeat is 1.5 round trips rounded up to 50 ms, and etcd's own default of 100 ms at least.
    """
    steps = math.ceil(1.5 * round_trip_ms / _HEARTBEAT_STEP_MS)
    heartbeat = max(_HEARTBEAT_FLOOR_MS, steps * _HEARTBEAT_STEP_MS)
    return EtcdTimings(heartbeat, heartbeat * _HEARTBEATS_OF_AN_ELECTION)


def largest_round_trip_ms(estate: Estate) -> float:
    """The largest round trip between mirrored sites in milliseconds; 0 where no link joins two of them."""
    mirrored = {site.name for site in estate.mirrored_sites}
    between = (link.round_trip_ms for link in estate.links if mirrored.issuperset(link.between))
    return max(between, default=0.0)


def patroni_complaint(chosen: Pace) -> str:
    """Why Patroni would change these timings by itself; '' where it takes them as they are."""
    floors = (
        ("ttl", chosen.ttl, TTL_FLOOR),
        ("loop_wait", chosen.loop_wait, LOOP_WAIT_FLOOR),
        ("retry_timeout", chosen.retry_timeout, RETRY_TIMEOUT_FLOOR),
    )
    for name, value, floor in floors:
        if value < floor:
            return f"{name} {value}: Patroni would raise it to {floor}"
    needed = chosen.loop_wait + 2 * chosen.retry_timeout
    if needed > chosen.ttl:
        return (
            f"loop_wait {chosen.loop_wait} + 2 * retry_timeout {chosen.retry_timeout} = {needed}, "
            f"more than ttl {chosen.ttl}: Patroni would lower them"
        )
    return ""


def least_retry_timeout(round_trip_ms: float, voters: int) -> int:
    """The least retry_timeout, in seconds, that fits voters so far apart.

    A primary that cannot write to etcd for retry_timeout steps down. So one election of etcd's leader, at
    its longest, and one request have to fit in; and the share of it that Patroni gives each voter (at
    least 1 s: `dcs/etcd.py`, `_calculate_timeouts`) has to be enough for one request.
    """
    request_s = ROUND_TRIPS_OF_A_REQUEST * round_trip_ms / 1000
    after_election_s = _LONGEST_ELECTION * etcd_at(round_trip_ms).election_ms / 1000 + request_s
    every_voter_s = voters * request_s if request_s > 1 else 0.0
    return max(RETRY_TIMEOUT_FLOOR, math.ceil(max(after_election_s, every_voter_s)))
