from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.drills import journal, stages
from mirrorforce.drills.measure import Outage
from mirrorforce.drills.stages import Mark, What
from mirrorforce.onhost import leader_observer, name_watcher
from mirrorforce.onhost.primary_record import Leader
from tests.drill_samples import FAULT_AT, NEW, OLD, event, history, mark

MOMENT = datetime(2026, 3, 1, 12, 0, 25, 500_000, tzinfo=UTC).timestamp()


def outage(seconds: float, *, began: float = -0.1, ended: bool = True) -> Outage:
    return Outage(seconds, FAULT_AT + began, FAULT_AT + began + seconds if ended else None)


def line(
    message: object, unit: str = journal.PATRONI, *, at: float = MOMENT, by_systemd: bool = False
) -> str:
    fields = {"__REALTIME_TIMESTAMP": str(int(at * 1e6)), "MESSAGE": message}
    name = {"_SYSTEMD_UNIT": "init.scope", "UNIT": unit} if by_systemd else {"_SYSTEMD_UNIT": unit}
    return json.dumps(fields | name)


def one(message: object, unit: str = journal.PATRONI, *, by_systemd: bool = False) -> Mark | None:
    found = journal.marks("west-na1", [line(message, unit, by_systemd=by_systemd)], cell="na1")
    return found[0] if found else None


def by_etcd(said: str) -> str:
    return json.dumps({"level": "info", "ts": "2026-03-01T12:00:25.400000Z", "logger": "raft", "msg": said})


BY_PATRONI = "2026-03-01 12:00:25,400 "
BY_POSTGRES = "2026-03-01 12:00:25.400 UTC [318] "
BY_SESSION = f"{BY_POSTGRES}replicator@[unknown] "
ACQUIRED = "INFO: promoted self to leader by acquiring session lock"
CLEANED_UP = "INFO: Cleaning up failover key after acquiring leader lock..."
READY = "LOG:  database system is ready to accept"
QUORUM = 'LOG:  standby "legacy-na1" is now a candidate for quorum synchronous standby'
SYNCHRONOUS = 'LOG:  standby "legacy-na1" is now a synchronous standby with priority 1'
UNREACHED = "WARNING: Request failed to east-na1: GET https://198.18.1.20:8008/patroni"
SWITCHOVER = "received switchover request with leader=east-na1 candidate=west-na1 scheduled_at=None"
RAFT = "raft.node: 83ecbc9d57d5086c elected leader a2e2379dd197acec at term 3"


@pytest.mark.parametrize(
    ("unit", "message", "what", "about"),
    [
        ("patroni", f"{BY_PATRONI}{ACQUIRED}", What.ELECTED, "west-na1"),
        ("patroni", f"{BY_PATRONI}{CLEANED_UP}", What.ELECTED, "west-na1"),
        ("patroni", f"{BY_PATRONI}INFO: Leader key released", What.LEASE_GONE, "west-na1"),
        ("patroni", f"{BY_PATRONI}INFO: Demoting self (immediate-nolock)", What.DEMOTED, "west-na1"),
        ("patroni", f"{BY_PATRONI}INFO: {SWITCHOVER}", What.NOTICED, None),
        ("patroni", f"{BY_PATRONI}{UNREACHED}", What.NOTICED, None),
        ("patroni", f"{BY_PATRONI}INFO: no action. I am (west-na1), the leader with the lock", None, None),
        ("patroni", f"{BY_POSTGRES}{READY} connections", What.PROMOTED, "west-na1"),
        ("patroni", f"{BY_POSTGRES}{READY} read-only connections", None, None),
        ("patroni", f"{BY_POSTGRES}FATAL:  terminating walreceiver due to timeout", What.NOTICED, None),
        ("patroni", f"{BY_SESSION}LOG:  could not receive data from client: Connection reset", None, None),
        ("patroni", f"{BY_SESSION}{QUORUM}", What.STREAMS, "legacy-na1"),
        ("patroni", f"{BY_SESSION}{SYNCHRONOUS}", What.STREAMS, "legacy-na1"),
        ("etcd", by_etcd("prober detected unhealthy status"), What.NOTICED, None),
        ("etcd", by_etcd(RAFT), What.ETCD_ELECTED, "a2e2379dd197acec"),
        ("gdnsd", "state of '198.18.1.20/primary' changed from UP/8 to DOWN/8", What.NOTICED, None),
        ("gdnsd", "state of '198.18.2.20/primary' changed from DOWN/8 to UP/8", None, None),
        ("leader_watcher", "na1: now answered with 198.18.2.20", What.DNS_CHANGED, NEW),
        ("leader_watcher", "na1: now answered with the dynamic record", What.DNS_CHANGED, None),
        ("leader_watcher", "na2: now answered with 198.18.2.24", None, None),
        ("leader_watcher", "na1: 198.18.2.20 instead of 198.18.1.20", None, None),
        ("failover_agent", "east-na1: look 1 in a row: REST, port", What.NOTICED, None),
        ("failover_agent", "east-na1: look 2 in a row: REST, port", None, None),
        ("failover_agent", "opened a round against east-na1", What.AGREED, None),
        ("failover_agent", "released east-na1's leader key; promised: legacy-na1", What.LEASE_GONE, None),
        ("failover_agent", "refused: nobody leads", None, None),
        ("name_watcher", f"{BY_PATRONI}na1.lab.test: {NEW} instead of {OLD}", What.RESOLVER_FOLLOWS, NEW),
        ("name_watcher", f"{BY_PATRONI}na2.lab.test: {NEW} instead of {OLD}", None, None),
    ],
)  # fmt: skip
def test_lines_of_the_journal_mark_what_they_say(
    unit: str, message: str, what: What | None, about: str | None
) -> None:
    found = one(message, f"{unit}.service")
    assert (found and found.what, found and found.about) == (what, about)
    if found and "2026" in message:
        assert found.at == pytest.approx(MOMENT - 0.1)
        assert "2026" not in found.said


def test_what_the_leader_observer_says_is_understood() -> None:
    said = list(leader_observer.news({"na1": Leader("east-na1", 7)}, {"na1": None}))
    said += leader_observer.news({"na1": None}, {"na1": Leader("west-na1", 9)})
    found = [one(message, journal.WATCHER) for message in said]
    assert [(each.what, each.about) for each in found if each] == [
        (What.LEASE_GONE, None),
        (What.ELECTED, "west-na1"),
    ]


def test_the_leader_observer_says_nothing_where_nothing_changed() -> None:
    held = {"na1": Leader("east-na1", 7), "na2": None}
    assert not list(leader_observer.news(held, held))
    assert list(leader_observer.news({}, held)) == [
        "na1: east-na1 holds the leader key",
        "na2: nobody holds the leader key",
    ]


def test_the_name_watcher_tells_changes_and_nothing_else() -> None:
    assert list(name_watcher.changes(iter([OLD, OLD, NEW, NEW, OLD]))) == [
        f"{NEW} instead of {OLD}",
        f"{OLD} instead of {NEW}",
    ]
    assert not list(name_watcher.changes(iter([])))


def test_a_killed_service_is_noticed_by_systemd() -> None:
    found = one("patroni.service: Main process exited, code=killed, status=9/KILL", by_systemd=True)
    assert found is not None
    assert found.what is What.NOTICED


def test_a_clock_that_is_another_is_not_believed() -> None:
    found = one("2026-03-01 13:00:25,400 INFO: Leader key released")
    assert found is not None
    assert found.at == MOMENT


def test_bytes_and_broken_lines_do_no_harm() -> None:
    lines = ["", "{", "[]", line(None), line([0xFF, *b" Leader key released"])]
    (found,) = journal.marks("west-na1", lines, cell="na1")
    assert found.what is What.LEASE_GONE


def test_a_line_said_again_is_one_mark() -> None:
    lines = [line("could not connect to the primary server: timeout", at=MOMENT + at) for at in range(5)]
    assert [each.at for each in journal.marks("west-na1", lines, cell="na1")] == [MOMENT]


def test_a_host_is_asked_for_units_since_a_moment() -> None:
    command = journal.command(MOMENT)
    assert f"--since=@{MOMENT:.3f}" in command
    assert "--output=json" in command
    assert "--unit=patroni.service" in command


MARKS = (
    mark(0.0, What.FAULT, None, "power off east"),
    mark(8.5, What.NOTICED, "west-control", "down"),
    mark(10.1, What.NOTICED, "west-na1", "timeout"),
    mark(18.6, What.LEASE_GONE, "west-control", "nobody holds the leader key"),
    mark(20.8, What.ELECTED, "legacy-control", "west-na1 holds the leader key", "west-na1"),
    mark(20.9, What.DNS_CHANGED, "west-control", "now answered", NEW),
    mark(21.0, What.PROMOTED, "west-na1", "ready to accept connections", "west-na1"),
    mark(21.2, What.STREAMS, "west-na1", "candidate", "legacy-na1"),
    mark(22.0, What.RESOLVER_FOLLOWS, "dev-app", "instead of", NEW),
)


def ended(found: tuple[stages.Stage, ...]) -> list[tuple[str, float]]:
    return [(stage.name, round(stage.ended, 2)) for stage in found]


def test_stages_follow_each_other_as_the_marks_did_and_add_up() -> None:
    found = stages.stages(MARKS, FAULT_AT, outage(22.6), way="dns")
    assert ended(found) == [
        ("noticed", 8.5), ("lease gone", 18.6), ("leader elected", 20.8), ("dns changed", 20.9),
        ("promoted", 21.0), ("standby streams", 21.2), ("resolver follows", 22.0),
        ("first acknowledgement", 22.5),
    ]  # fmt: skip
    assert sum(stage.seconds for stage in found) == pytest.approx(22.5)


def test_clients_of_all_members_do_not_wait_for_dns() -> None:
    found = stages.stages(MARKS, FAULT_AT, outage(21.6), way="multi-host")
    assert "dns changed" not in dict(ended(found))
    assert ended(found)[-1] == ("first acknowledgement", 21.5)


def test_what_nobody_said_is_part_of_the_next_stage() -> None:
    told = [each for each in MARKS if each.what is not What.LEASE_GONE]
    found = {stage.name: stage.seconds for stage in stages.stages(told, FAULT_AT, outage(22.6), way="dns")}
    assert found[What.ELECTED] == pytest.approx(20.8 - 8.5)


def test_an_election_that_came_to_nothing_does_not_count() -> None:
    failed = (
        mark(19.0, What.ELECTED, "legacy-na1", "acquired", "legacy-na1"),
        mark(19.5, What.STREAMS, "legacy-na1", "candidate", "west-na1"),
    )
    found = stages.stages([*MARKS, *failed], FAULT_AT, outage(22.6), way="dns")
    assert dict(ended(found))["leader elected"] == 20.8
    assert dict(ended(found))["standby streams"] == 21.2


def test_a_dns_server_that_fell_back_has_not_yet_changed() -> None:
    fell_back = mark(5.0, What.DNS_CHANGED, "legacy-control", "now answered with the dynamic record")
    found = stages.stages([*MARKS, fell_back], FAULT_AT, outage(22.6), way="dns")
    assert dict(ended(found))["dns changed"] == 20.9


def test_marks_outside_the_outage_end_no_stage() -> None:
    late = mark(30.0, What.NOTICED, "east-na1", "back again")
    assert stages.stages([late], FAULT_AT, outage(5.0), way="dns")[0].name is What.ACKNOWLEDGED
    early = mark(-30.0, What.PROMOTED, "east-na1", "ready", "east-na1")
    assert len(stages.stages([early], FAULT_AT, outage(5.0), way="dns")) == 1


@pytest.mark.parametrize("none", [None, outage(60.0, ended=False), outage(0.2)])
def test_no_outage_that_ended_has_no_stages(none: Outage | None) -> None:
    assert stages.stages(MARKS, FAULT_AT, none, way="dns") == ()
    assert stages.marks_from_history(history(event(0.1)), FAULT_AT, none) == ()


@given(
    st.lists(
        st.tuples(
            st.floats(-5, 40), st.sampled_from(list(What)), st.sampled_from(["west-na1", "legacy-na1"])
        ),
        max_size=40,
    ),
    st.floats(0.5, 40),
    st.floats(-1, 10),
)
def test_stages_add_up_whatever_the_journals_say(
    told: list[tuple[float, What, str]], seconds: float, began: float
) -> None:
    found_marks = [mark(at, what, host, "", host) for at, what, host in told]
    lasted = outage(seconds, began=began)
    found = stages.stages(found_marks, FAULT_AT, lasted, way="dns")
    if not found:
        assert seconds < stages.SHORTEST or began + seconds < 0
        return
    assert all(stage.seconds >= 0 for stage in found)
    assert sum(stage.seconds for stage in found) == pytest.approx(began + seconds - max(began, 0), abs=1e-5)
    assert len({stage.name for stage in found}) == len(found)
    assert found[-1].name is What.ACKNOWLEDGED


def test_clients_tell_when_the_resolver_followed() -> None:
    told = history(
        event(-9.0, kind="connect", way="dns"), event(-0.1, way="dns"),
        event(3.0, kind="connect", way="dns", client="read-1", server="198.18.3.20"),
        event(4.0, kind="connect", server=NEW), event(4.2, server=NEW),
        event(5.0, kind="connect", way="dns"),
        event(6.0, kind="connect", way="dns", server=NEW), event(6.5, way="dns", server=NEW),
    )  # fmt: skip
    found = stages.marks_from_history(told, FAULT_AT, Outage(6.6, FAULT_AT - 0.1, FAULT_AT + 6.5))
    assert [(each.what, round(each.at - FAULT_AT, 1)) for each in found] == [
        (What.RESOLVER_FOLLOWS, 6.0),
        (What.ACKNOWLEDGED, 6.5),
    ]
