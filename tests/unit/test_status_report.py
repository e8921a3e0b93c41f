from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import estate_file, placement
from mirrorforce.operations import status_report
from mirrorforce.operations.probing import Probe
from mirrorforce.workspace import ROOT

ESTATE = estate_file.load(ROOT / "stacks" / "lab.yaml")
HOSTS = placement.hosts(ESTATE)
BY_NAME = {host.name: host for host in HOSTS}
SCHEMA = json.loads((ROOT / "schemas" / "status.schema.json").read_text())
PRIMARIES = {"na1": "east-na1", "na2": "west-na2"}
MEMBER_IDS = {"east-control": "11", "west-control": "22", "legacy-control": "33"}

Facts = dict[str, dict[str, Any]]


def control(name: str, leader: str = "legacy-control") -> dict[str, Any]:
    status = {
        "header": {"member_id": MEMBER_IDS[name], "cluster_id": "613"},
        "leader": MEMBER_IDS[leader],
        "raftTerm": "4",
        "version": "3.5.16",
    }
    return {"etcd": {"health": {"health": "true"}, "status": status}, "dns": answers(PRIMARIES)}


def answers(primaries: dict[str, str]) -> dict[str, Any]:
    standbys = {"na1": "legacy-na1", "na2": "legacy-na2"}
    return {
        "answers": [
            {
                "name": f"{cell}{ending}.lab.test",
                "addresses": [str(BY_NAME[host].address)],
                "ttl": 1,
                "rcode": "NOERROR",
            }
            for ending, pointed in (("", primaries), ("-ro", standbys))
            for cell, host in pointed.items()
        ]
    }


def primary(cell: str, timeline: int = 3) -> dict[str, Any]:
    standbys = [
        {"name": host.name, "state": "streaming", "sync": "quorum", "lag_bytes": 128}
        for host in HOSTS
        if host.cell == cell
    ]
    return {
        "patroni": {"member": {"role": "primary", "state": "running", "timeline": timeline}},
        "replication": {"standbys": standbys},
    }


def standby(timeline: int = 3) -> dict[str, Any]:
    member = {"role": "replica", "state": "running", "replication_state": "streaming", "timeline": timeline}
    return {"patroni": {"member": member}, "replication": {"standbys": []}}


def healthy() -> Facts:
    facts: Facts = {}
    for host in HOSTS:
        if host.role == "control":
            facts[host.name] = control(host.name)
        elif host.cell is not None:
            facts[host.name] = primary(host.cell) if host.name in PRIMARIES.values() else standby()
        else:
            facts[host.name] = {"dns": answers(PRIMARIES)}
    return facts


def report(facts: Facts, dead: dict[str, str] | None = None) -> dict[str, Any]:
    probes = {name: Probe(name, sections=sections) for name, sections in facts.items()}
    probes |= {name: Probe(name, reason=reason) for name, reason in (dead or {}).items()}
    built = status_report.build(
        ESTATE, HOSTS, probes, environment="lab", time="2026-01-02T03:04:05+00:00", seconds=0.4
    )
    jsonschema.Draft202012Validator(SCHEMA).validate(built)
    return built


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_healthy_estate_has_no_problems() -> None:
    built = report(healthy())
    assert built["problems"] == []
    assert built["as_declared"]
    assert built["summary"] == "10 of 10 hosts answer; na1 from east, na2 from west; all as declared"
    assert built["etcd"]["leader"] == {"host": "legacy-control", "site": "legacy"}


def test_members_say_how_far_behind_they_are_and_whether_they_count() -> None:
    members = {member["host"]: member for member in report(healthy())["cells"][0]["members"]}
    assert (members["east-na1"]["role"], members["east-na1"]["sync"], members["east-na1"]["lag_bytes"]) == (
        "primary",
        None,
        0,
    )
    assert (members["west-na1"]["sync"], members["west-na1"]["lag_bytes"]) == ("quorum", 128)


@pytest.mark.parametrize(("free_mib", "told"), [(500, 0), (51, 0), (26, 1), (0, 1)])
def test_a_volume_that_is_nearly_full_is_told_before_replication_ends_of_it(free_mib: int, told: int) -> None:
    facts = healthy()
    facts["legacy-na1"]["mounts"] = {
        "mounts": {
            "/srv/postgres/wal": {"device": "a", "type": "ext4", "size_mib": 974, "free_mib": free_mib},
            "/srv/postgres/data": None,
        }
    }
    sentence = f"na1: legacy-na1's /srv/postgres/wal is nearly full, {free_mib} of 974 MiB left"
    assert report(facts)["problems"] == [sentence] * told


def test_a_dead_site_is_said_once_and_its_cell_is_seen_where_it_went() -> None:
    facts = healthy()
    dead = {host.name: "no answer within 2.5 s" for host in HOSTS if host.site == "east"}
    facts["west-na1"] = primary("na1", timeline=4)
    facts["legacy-na1"] = standby(timeline=4)
    moved = answers(PRIMARIES | {"na1": "west-na1"})
    for name in ("west-control", "legacy-control", "dev-app"):
        facts[name]["dns"] = moved
    built = report(facts, dead)
    assert {site["name"]: site["up"] for site in built["sites"]} == {
        "east": False,
        "west": True,
        "legacy": True,
        "dev": True,
    }
    assert built["cells"][0]["primary"] == {"host": "west-na1", "site": "west"}
    assert built["cells"][0]["members"][0]["state"] == "no answer"
    assert built["problems"] == [
        "na1 is served from west, not from its preferred site east (mirrorforce switchover na1 --to east)",
        "site east is down: none of its 3 hosts answers",
    ]


def test_no_primary_is_the_first_problem() -> None:
    facts = healthy() | {"east-na1": standby()}
    built = report(facts)
    assert built["cells"][0]["primary"] is None
    assert built["problems"][0].startswith("na1 has no primary")


def test_two_claims_are_both_named_and_the_newer_timeline_is_believed() -> None:
    built = report(healthy() | {"west-na1": primary("na1", timeline=4)})
    assert built["cells"][0]["claims"] == ["east-na1", "west-na1"]
    assert built["cells"][0]["primary"] == {"host": "west-na1", "site": "west"}
    assert any("more than one member says that it is the primary" in problem for problem in built["problems"])


def test_a_dns_server_that_lags_behind_is_named() -> None:
    facts = healthy()
    facts["legacy-control"]["dns"] = answers(PRIMARIES | {"na1": "west-na1"})
    assert report(facts)["problems"] == [
        "legacy-control on na1.lab.test: answers west-na1, it should be east-na1"
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"addresses": ["198.18.1.20", "198.18.2.20"], "ttl": 1}, "2 addresses in one answer"),
        ({"addresses": ["198.18.1.20"], "ttl": 30}, "TTL 30 s"),
        ({"addresses": [], "ttl": None, "rcode": "SERVFAIL"}, "SERVFAIL"),
        ({"addresses": ["192.0.2.1"], "ttl": 1}, "answers unknown"),
        ({"error": "timed out"}, "timed out"),
    ],
)
def test_a_wrong_dns_answer_is_a_problem(answer: dict[str, Any], said: str) -> None:
    facts = healthy()
    facts["east-control"]["dns"]["answers"][0] = {"name": "na1.lab.test", **answer}
    problems = report(facts)["problems"]
    assert problems
    assert all(problem.startswith("east-control on na1.lab.test") for problem in problems)
    assert any(said in problem for problem in problems)


def test_a_read_only_name_that_answers_the_primary_is_a_problem() -> None:
    facts = healthy()
    facts["west-control"]["dns"]["answers"][2]["addresses"] = [str(BY_NAME["east-na1"].address)]
    assert report(facts)["problems"] == [
        "west-control on na1-ro.lab.test: answers east-na1, it should be legacy-na1 or west-na1"
    ]


def test_an_etcd_leader_beside_a_primary_is_a_problem_while_another_site_could_lead() -> None:
    facts = healthy()
    for name in MEMBER_IDS:
        facts[name]["etcd"] = control(name, leader="east-control")["etcd"]
    assert report(facts)["problems"] == [
        "etcd is led from east, where a primary is too; it could be led from legacy"
    ]


def test_an_old_etcd_leader_of_an_older_term_is_not_believed() -> None:
    facts = healthy()
    facts["east-control"]["etcd"] = control("east-control", leader="east-control")["etcd"]
    facts["east-control"]["etcd"]["status"]["raftTerm"] = "3"
    assert report(facts)["etcd"]["leader"] == {"host": "legacy-control", "site": "legacy"}


def test_a_section_that_failed_hides_no_other() -> None:
    facts = healthy()
    facts["east-control"]["etcd"] = {"error": "no answer within 2.2 s"}
    built = report(facts)
    assert built["problems"] == ["etcd on east-control is not healthy: no answer within 2.2 s"]
    assert built["cells"][0]["dns"]["servers"][0]["hosts"] == ["east-na1"]


def test_a_standby_that_does_not_stream_is_a_problem() -> None:
    facts = healthy()
    facts["west-na1"]["patroni"]["member"] |= {"replication_state": "in archive recovery"}
    facts["east-na1"]["replication"]["standbys"] = []
    problems = report(facts)["problems"]
    assert "na1: west-na1 (standby) is in archive recovery, not streaming" in problems
    assert "na1: 0 synchronous standbys, declared are 1 at least" in problems


def test_timelines_that_differ_are_a_problem() -> None:
    built = report(healthy() | {"west-na1": standby(timeline=2)})
    assert built["problems"] == ["na1: members are on different timelines: 2, 3"]


@given(st.sets(st.sampled_from([host.name for host in HOSTS])), st.sampled_from(["", "refused"]))
def test_whoever_is_dead_the_report_is_valid_and_names_them(dead: set[str], reason: str) -> None:
    built = report(healthy(), dict.fromkeys(dead, reason))
    silent = {host["name"] for site in built["sites"] for host in site["hosts"] if not host["answers"]}
    assert silent == dead
    assert built["as_declared"] == (not dead)
    for site in built["sites"]:
        assert site["up"] == any(host["answers"] for host in site["hosts"])


def too_much_lost(alive: str) -> dict[str, Any]:
    """All mirrored sites but one without power, and that one's etcd without a leader."""
    facts = healthy()
    dead = {}
    for host in HOSTS:
        if host.site not in {alive, "dev"}:
            dead[host.name] = "no answer within 2.2 s"
        elif host.cell is not None:
            facts[host.name] = standby()
        elif host.role == "control":
            facts[host.name]["etcd"]["health"] = {"health": "false", "reason": "RAFT NO LEADER"}
    return report({name: found for name, found in facts.items() if name not in dead}, dead)


def test_with_the_majority_of_voters_lost_it_says_first_how_to_go_on() -> None:
    said = too_much_lost("legacy")["problems"][0]
    assert said.startswith("too much is lost: 1 of 3 voters of etcd answers (legacy-control), 2 are needed")
    assert "if these sites are gone for good" in said
    for cell in ("na1", "na2"):
        assert f"mirrorforce recover {cell} --from legacy --accept-loss --env lab" in said


def test_it_does_not_speak_of_recovery_where_hosts_answer_or_one_voter_goes_on_alone() -> None:
    facts = healthy()
    for host in HOSTS:
        if host.role == "control":
            facts[host.name]["etcd"]["health"] = {"health": "false", "reason": "RAFT NO LEADER"}
    assert not any("too much" in said for said in report(facts)["problems"])
    facts = healthy()
    dead = {host.name: "no answer" for host in HOSTS if host.site in {"east", "west"}}
    left = {name: found for name, found in facts.items() if name not in dead}
    assert not any("too much" in said for said in report(left, dead)["problems"])


def test_two_clusters_of_etcd_beside_each_other_are_a_problem() -> None:
    facts = healthy()
    for host in ("east-control", "west-control"):
        facts[host]["etcd"]["status"]["header"]["cluster_id"] = "612"
    assert any(
        said.startswith("two clusters of etcd serve beside each other: east-control, west-control and legacy")
        for said in report(facts)["problems"]
    )
