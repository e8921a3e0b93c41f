"""From what engines, Ansible and hosts say to findings: each with its owner, its place and its mend."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import json
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest

from mirrorforce import (
    estate_file,
    expected,
    flows,
    packet_filter,
    pki,
    placement,
    postgres_variables,
)
from mirrorforce.drift import configuration, facts, infrastructure
from mirrorforce.drift.finding import Finding, merged
from mirrorforce.drift.requests import for_drift
from mirrorforce.engine import Outcome
from mirrorforce.engine_events import Account, Step
from mirrorforce.inventory import Inventory, InventoryHost
from mirrorforce.onhost import facts_drift, mend
from mirrorforce.onhost.probe import SECTIONS
from mirrorforce.operations.probing import Probe
from mirrorforce.pki import new_authority
from mirrorforce.playbook import Account as PlaybookAccount
from mirrorforce.workspace import ROOT
from tests.aws import by_hand
from tests.lab import zoo

if TYPE_CHECKING:
    from mirrorforce.estate import Host
    from mirrorforce.packet_filter import Accept

Change = Callable[[dict[str, Any]], object]

ESTATE = estate_file.load(ROOT / "stacks" / "lab.yaml")
HOSTS = placement.hosts(ESTATE)
BY_NAME = {host.name: host for host in HOSTS}
NOW = dt.datetime(2026, 11, 28, 3, tzinfo=dt.UTC)


def test_a_look_asks_for_sections_that_the_probe_has() -> None:
    for host in HOSTS:
        assert set(for_drift(ESTATE, host, ["openssl"])) <= set(SECTIONS)


# infrastructure


def refreshed(operation: str, before: dict[str, Any], after: dict[str, Any]) -> Outcome:
    urn = "urn:pulumi:lab-east::mirrorforce::site$dynamic/mirrorforce:Host::east-na1"
    type_ = "pulumi-python:dynamic/mirrorforce:Host"
    sides = {"old": {"outputs": before}, "new": {"outputs": after}}
    metadata = {"op": operation, "urn": urn, "type": type_, **sides}
    account = Account("lab-east")
    account.take(json.dumps({"resOutputsEvent": {"metadata": metadata}}))
    return Outcome("lab-east", account.changed, 1.0)


def test_each_property_that_is_another_is_a_finding_of_its_stack() -> None:
    known = {"name": "east-na1", "running": True, "volumes": [1], "__provider": "a"}
    outcome = refreshed("update", known, {**known, "running": False, "volumes": [], "__provider": "b"})
    found = list(infrastructure.of_refresh(outcome))
    assert [(one.subject, one.item, one.declared, one.found) for one in found] == [
        ("east-na1", "Host.running", "true", "false"),
        ("east-na1", "Host.volumes", "[1]", "[]"),
    ]
    assert found[0].severity == "critical"
    assert (found[0].mend.by, found[0].mend.where) == ("stack", "lab-east")


def test_a_host_on_aws_that_somebody_stopped_is_one_finding_that_a_person_mends() -> None:
    before, after = ({"instanceState": state, "privateDns": state} for state in ("running", "stopped"))
    step = Step(
        "aws-dev", "update", "Instance", "dev-app", "done",
        diffs=("instanceState",), before=before, after=after,
    )  # fmt: skip
    (found,) = infrastructure.of_refresh(Outcome("aws-dev", (step,), 1.0))
    assert (found.item, found.declared, found.found) == ("Instance.instanceState", "running", "stopped")
    assert (found.severity, found.mend.by) == ("critical", "hand")


def test_a_resource_that_is_gone_is_one_finding() -> None:
    (found,) = infrastructure.of_refresh(refreshed("delete", {"name": "east-na1"}, {}))
    assert (found.item, found.found, found.severity) == ("Host.exists", "gone", "critical")


def inventory_host(name: str) -> InventoryHost:
    host = BY_NAME[name]
    return InventoryHost(name, host.site, host.role, host.cell, host.address, "key", "mirrorforce", "", ())


def test_hosts_of_the_state_are_those_of_the_estate_file() -> None:
    present = [inventory_host(host.name) for host in HOSTS]
    stacks = {site.name: f"lab-{site.name}" for site in ESTATE.sites}
    assert not list(infrastructure.of_inventory(HOSTS, Inventory("lab", tuple(present)), stacks))
    moved = dataclasses.replace(present[1], address=IPv4Address("198.18.1.99"))
    extra = dataclasses.replace(present[0], name="east-old")
    differing = Inventory("lab", (moved, extra, *present[2:]))
    found = {(one.subject, one.item) for one in infrastructure.of_inventory(HOSTS, differing, stacks)}
    assert found == {
        (present[0].name, "Host.exists"),
        (present[1].name, "Host.address"),
        ("east-old", "Host.declared"),
    }


# configuration


def checked(host: str, answer: dict[str, Any]) -> list[Finding]:
    account = PlaybookAccount()
    data = {"host": host, "role": "base", "task": "Install", "res": answer}
    data["task_path"] = f"{ROOT}/roles/base/tasks/configure.yml:10"
    account.take({"event": "runner_on_ok", "event_data": data})
    account.take({"event": "playbook_on_stats", "event_data": {"ok": {host: 1}}})
    result = account.result(check=True)
    assert result is not None
    return list(configuration.findings(result, {"east-na1": "na1"}))


def test_each_file_of_a_task_is_a_finding_with_its_own_difference() -> None:
    entries = [
        {"before": "a\n", "after": "b\n", "after_header": path} for path in ("/etc/hosts", "/etc/sudoers.d/x")
    ]
    found = checked(
        "east-na1", {"changed": True, "changed_files": ["/etc/hosts", "/etc/sudoers.d/x"], "diff": entries}
    )
    assert [one.item for one in found] == ["/etc/hosts", "/etc/sudoers.d/x"]
    assert all(one.declared_in == "roles/base/tasks/configure.yml:10 (base: Install)" for one in found)
    assert "--- /etc/hosts" in found[0].diff
    assert "sudoers" not in found[0].diff
    assert found[1].severity == "critical"


@pytest.mark.parametrize(
    ("answer", "items"),
    [
        ({"actions": ["unmask etcd.service", "start etcd.service"]}, {"etcd.service"}),
        ({"actions": ["restart gdnsd.service", "enable x.timer"]}, {"gdnsd.service", "x.timer"}),
        ({"missing": ["openssl"]}, {"package openssl"}),
        ({"renewed": {}, "changes": ["host: it ends in 3 days"]}, {"/etc/mirrorforce/pki/host.crt"}),
        ({"renewed": {}, "changes": ["host: owner or mode of its key"]}, {"/etc/mirrorforce/pki/host.key"}),
        ({"renewed": {}, "changes": ["the authority's certificate"]}, {"/etc/mirrorforce/pki/ca.crt"}),
        ({"actions": ["create role reader", "set the password of reader"]}, {"role reader"}),
        ({"actions": ["delete user mallory"]}, {"user mallory"}),
        ({"name": "app", "home": "/home/app"}, {"account app"}),
        ({"censored": "hidden"}, {"task base: Install"}),
        ({"results": [{"changed": False}, {"changed": True, "actions": ["start a.mount"]}]}, {"a.mount"}),
    ],
)
def test_what_a_module_would_do_is_told_by_what_it_does_it_to(
    answer: dict[str, Any], items: set[str]
) -> None:
    assert {one.item for one in checked("east-na1", {"changed": True, **answer})} == items


def test_a_dynamic_configuration_is_told_key_by_key_and_belongs_to_the_cell() -> None:
    before = {"ttl": 30, "postgresql": {"parameters": {"a": 1, "b": 2}, "use_slots": True}}
    after = {"ttl": 20, "postgresql": {"parameters": {"a": 3, "b": None}}}
    entry = {
        "after_header": "dynamic configuration",
        "before": json.dumps(before),
        "after": json.dumps(after),
    }
    found = checked("east-na1", {"changed": True, "actions": ["dynamic configuration"], "diff": [entry]})
    assert {one.subject for one in found} == {"na1"}
    assert {one.item for one in found} == {
        "configuration ttl",
        "configuration postgresql.parameters.a",
        "configuration postgresql.parameters.b",
    }


def test_a_warning_about_a_restart_is_a_finding_that_asks_first() -> None:
    found = checked(
        "east-na1", {"warnings": ["patroni.service of a primary waits for a restart: switchover"]}
    )
    assert [(one.item, one.mend.by, one.mend.disruptive) for one in found] == [("restart", "restart", True)]


# hosts and cells

RENEW = 90
AUTHORITY = new_authority("lab")
LONG = new_authority("lab").certificate_pem
"""A certificate that lasts for years, to stand for a host's."""

ENDING = pki.client_of("x", AUTHORITY, NOW).rpartition("-----END PRIVATE KEY-----\n")[2]

HBA = ["local all postgres peer", "hostssl app application 198.18.4.11/32 scram-sha-256"]


def rule_of(rule: Accept) -> dict[str, Any]:
    sources = [{"prefix": {"addr": str(net.network_address), "len": net.prefixlen}} for net in rule.sources]
    left = {"payload": {"protocol": "ip", "field": "saddr"}}
    expr: list[dict[str, Any]] = [{"match": {"op": "==", "left": left, "right": {"set": sources}}}]
    kind = ("icmp", "type", 8) if rule.port is None else (rule.protocol, "dport", rule.port)
    payload = {"payload": {"protocol": kind[0], "field": kind[1]}}
    expr.append({"match": {"op": "==", "left": payload, "right": kind[2]}})
    return {"rule": {"table": "mirrorforce", "chain": "input", "expr": [*expr, {"accept": None}]}}


def ruleset(host: Host) -> list[dict[str, Any]]:
    table = {"table": {"family": "inet", "name": "mirrorforce"}}
    chains = [
        {"chain": {"table": "mirrorforce", "name": hook, "hook": hook, "policy": "drop"}}
        for hook in ("input", "forward")
    ]
    rules = [rule_of(packet_filter.as_accept(rule)) for rule in flows.rules_for(ESTATE, HOSTS, host)]
    return [table, *chains, *rules]


def a_role(name: str, **rights: bool) -> dict[str, Any]:
    return {"name": name, "superuser": False, "replication": False, "login": True, **rights}


def said_by(host: Host) -> dict[str, Any]:
    """What a host says of itself that is as declared."""
    listening = [
        {"protocol": one.protocol, "address": one.address, "port": one.port, "process": "x"}
        for one in expected.sockets(host)
    ]
    found: dict[str, Any] = {
        "seal": {"sealed": 1.0, "differences": []},
        "sockets": {"listening": listening},
        "nftables": {"ruleset": ruleset(host)},
        "packages": {"versions": {"openssl": "3.5"}},
        "certificates": {"files": {expected.HOST_CERTIFICATE: LONG}, "served": {"1:1": LONG}},
    }
    if host.role == "control":
        voters = [each for each in HOSTS if each.role == "control"]
        members = [
            {
                "id": str(number),
                "name": each.name,
                "peers": [f"https://{each.address}:2380"],
                "learner": False,
            }
            for number, each in enumerate(voters)
        ]
        return found | {"etcd_members": {"members": members}, "dns_admin": {"forced": []}}
    if host.cell is not None:
        cell = ESTATE.cell(host.cell)
        leads = host.site == cell.preferred_site
        dynamic: Any = postgres_variables.dynamic_configuration(ESTATE, cell)
        others = [each.name for each in HOSTS if each.cell == host.cell and each is not host]
        return found | {
            "patroni": {"member": {"role": "primary" if leads else "replica"}},
            "patroni_config": {"config": copy.deepcopy(dynamic)},
            "overrides": {"altered": [], "hba_added": [], "hba_missing": []},
            "member_data": {"lacks_wal": False},
            "postgres": {
                "settings": {"synchronous_standby_names": f"ANY 1 ({','.join(others)})"},
                "in_force": {name: str(value) for name, value in dynamic["postgresql"]["parameters"].items()},
                "units": {},
                "pending_restart": [],
                "overrides": [],
                "slots": [
                    {
                        "name": name.replace("-", "_"),
                        "type": "physical",
                        "active": True,
                        "wal_status": "reserved",
                    }
                    for name in others
                ],
                "roles": [
                    a_role(
                        name,
                        superuser=name in expected.SUPERUSERS,
                        replication=name in expected.REPLICATORS,
                    )
                    for name in expected.ROLES
                ],
                "databases": ["postgres", "app"],
            },
        }
    return found


def look(change: Change = lambda _: None, silent: str = "") -> facts.Facts:
    sections = {host.name: said_by(host) for host in HOSTS}
    change(sections)
    probes = {
        name: Probe(name, reason="no route") if name == silent else Probe(name, sections=said)
        for name, said in sections.items()
    }
    return facts.Facts(ESTATE, HOSTS, probes, NOW, RENEW)


def test_an_estate_as_declared_has_neither_findings_nor_gaps() -> None:
    whole = look()
    assert list(facts.findings(whole)) == []
    assert list(facts.gaps(whole)) == []


def at(host: str, section: str, change: Change) -> Change:
    return lambda sections: change(sections[host][section])


FAULTS = [
    ("another socket", at("east-na1", "sockets", lambda s: s["listening"].append(
        {"protocol": "tcp", "address": "198.18.1.20", "port": 8080, "process": "nc"})),
     "east-na1", "socket tcp 198.18.1.20:8080", "host"),
    ("nobody listens", at("east-na1", "sockets", lambda s: s["listening"].clear()),
     "east-na1", "socket tcp 127.0.0.1:5432", "converge"),
    ("a rule that accepts all", at("west-control", "nftables", lambda s: s["ruleset"].append(
        {"rule": {"table": "mirrorforce", "chain": "input", "expr": [{"accept": None}]}})),
     "west-control", "mirrorforce-firewall.service", "converge"),
    ("a table of somebody", at("dev-app", "nftables", lambda s: s["ruleset"].append(
        {"table": {"family": "ip", "name": "nat"}})), "dev-app", "nftables table ip nat", "host"),
    ("no certificate", at("dev-app", "certificates", lambda s: s["files"].clear()),
     "dev-app", expected.HOST_CERTIFICATE, "converge"),
    ("a certificate near its end", at("dev-app", "certificates", lambda s: s["files"].update(
        {expected.HOST_CERTIFICATE: ENDING})), "dev-app", expected.HOST_CERTIFICATE, "converge"),
    ("not reloaded", at("east-na1", "certificates", lambda s: s["served"].update({"1:1": ENDING})),
     "east-na1", "certificate at 1:1", "converge"),
    ("another version", at("west-control", "packages", lambda s: s["versions"].update(openssl="3.4")),
     "west-control", "package openssl", "hand"),
    ("a member of nobody", at("west-control", "etcd_members", lambda s: s["members"].append(
        {"id": "9", "name": "", "peers": ["https://198.18.9.9:2380"], "learner": True})),
     "etcd", "etcd member https://198.18.9.9:2380", "host"),
    ("a voter that only learns", at("west-control", "etcd_members", lambda s: s["members"][0].update(
        learner=True)), "east-control", "etcd vote", "converge"),
    ("a forced state", at("west-control", "dns_admin", lambda s: s["forced"].append(
        "198.18.1.20/primary => DOWN")), "west-control", "DNS state 198.18.1.20/primary", "host"),
    ("a changed configuration", at("east-na1", "patroni_config", lambda s: s["config"].update(
        synchronous_mode="off")), "na1", "configuration synchronous_mode", "converge"),
    ("a pause", at("east-na1", "patroni_config", lambda s: s["config"].update(pause=True)),
     "na1", "configuration pause", "host"),
    ("ALTER SYSTEM", at("west-na1", "overrides", lambda s: s["altered"].append(
        {"name": "work_mem", "value": "1GB", "applied": True})), "west-na1", "parameter work_mem", "host"),
    ("a rule of pg_hba", at("west-na1", "overrides", lambda s: s["hba_added"].append(
        "host all all all trust")), "west-na1", "pg_hba host all all all trust", "host"),
    ("a missing rule", at("west-na1", "overrides", lambda s: s["hba_missing"].append("local all all peer")),
     "west-na1", "pg_hba local all all peer", "host"),
    ("a lost WAL volume", at("west-na1", "member_data", lambda s: s.update(lacks_wal=True)),
     "west-na1", "pg_wal", "copy"),
    ("not in force", at("west-na1", "postgres", lambda s: s["in_force"].update(fsync="off")),
     "west-na1", "parameter fsync", "hand"),
    ("waits for a restart", at("west-na1", "postgres", lambda s: s["pending_restart"].append(
        "max_connections")), "west-na1", "restart", "restart"),
    ("a superuser", at("east-na1", "postgres", lambda s: s["roles"].append(
        a_role("mallory", superuser=True))), "na1", "superuser mallory", "host"),
    ("a role", at("east-na1", "postgres", lambda s: s["roles"].append(a_role("mallory"))),
     "na1", "role mallory", "host"),
    ("a right", at("east-na1", "postgres", lambda s: s["roles"][0].update(
        name="reader", superuser=True)), "na1", "superuser reader", "host"),
    ("a role's setting", at("east-na1", "postgres", lambda s: s["overrides"].append(
        {"role": "application", "database": None, "setting": "synchronous_commit=off"})),
     "na1", "setting synchronous_commit of application in any database", "host"),
    ("a database", at("east-na1", "postgres", lambda s: s["databases"].append("old")),
     "na1", "database old", "hand"),
    ("a slot", at("legacy-na1", "postgres", lambda s: s["slots"].append(
        {"name": "debezium", "type": "logical", "active": False, "wal_status": "extended"})),
     "legacy-na1", "slot debezium", "host"),
    ("a slot in use", at("legacy-na1", "postgres", lambda s: s["slots"].append(
        {"name": "debezium", "type": "logical", "active": True, "wal_status": "reserved"})),
     "legacy-na1", "slot debezium", "hand"),
    ("no quorum", at("east-na1", "postgres", lambda s: s["settings"].update(synchronous_standby_names="")),
     "na1", "synchronous_standby_names", "hand"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "subject", "item", "by"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS]
)
def test_each_fault_is_found_once_and_its_mend_is_known(
    change: Change, subject: str, item: str, by: str
) -> None:
    whole = look(change)
    found = {one.key: one for one in merged(facts.findings(whole))}
    assert (subject, item) in found
    finding = found[subject, item]
    assert finding.mend.by == by
    assert finding.declared_in
    if by == "host":
        assert finding.mend.act["act"] in mend.ACTS
        assert finding.mend.where in BY_NAME
    assert list(facts.gaps(whole)) == []


def test_a_silent_host_is_a_gap_and_never_as_declared() -> None:
    whole = look(silent="east-na1")
    assert [(gap.subject, gap.reason) for gap in facts.gaps(whole)] == [
        ("east-na1", "does not answer: no route")
    ]
    assert list(facts.findings(whole)) == []


def test_a_host_without_a_seal_and_a_section_that_failed_are_gaps() -> None:
    def change(sections: dict[str, Any]) -> None:
        sections["dev-app"]["seal"] = {"sealed": None, "differences": []}
        sections["west-na1"]["postgres"] = {"error": "psql: no answer"}

    reasons = {gap.subject: gap.reason for gap in facts.gaps(look(change))}
    assert "no seal" in reasons["dev-app"]
    assert "psql: no answer" in reasons["west-na1"]


def test_what_a_host_says_of_its_seal_is_owned_by_the_task_or_by_nobody() -> None:
    common = {"declared": "a", "found": "b"}
    differences = [
        {"kind": "file", "item": "/etc/hosts", "task": "base: Install", "place": "roles/base", **common},
        {"kind": "foreign", "item": "/etc/cron.d/x", "task": "", "place": "", **common},
        {"kind": "account", "item": "account mallory", "task": "", "place": "", **common},
        {"kind": "hold", "item": "package etcd-server", "task": "", "place": "", **common},
        {"kind": "version", "item": "package patroni", "task": "", "place": "", **common},
        {"kind": "setting", "item": "vm.swappiness", "task": "", "place": "", **common},
        {"kind": "foreign changed", "item": "/etc/cron.d/y", "task": "", "place": "", **common},
    ]
    found = list(facts.findings(look(at("dev-app", "seal", lambda s: s.update(differences=differences)))))
    assert [one.layer for one in found] == ["configuration", *["seal"] * 6]
    assert [one.mend.by for one in found] == ["converge", "host", "host", "host", "hand", "host", "hand"]
    assert [one.mend.act["name"] for one in found[2:4]] == ["mallory", "etcd-server"]
    assert all(one.mend.act["act"] in mend.ACTS for one in found if one.mend.by == "host")


CONFIG = """
postgresql:
  pg_hba:
    - local all   postgres peer
    # a comment
    - hostssl app application 198.18.4.11/32 scram-sha-256
tags:
  - none
"""


def test_rules_are_read_from_patronis_own_file() -> None:
    assert list(facts_drift.hba_declared(CONFIG)) == HBA
    assert list(facts_drift.hba_present("# x\n\nlocal all\tpostgres  peer # y\n")) == HBA[:1]


def test_the_guide_shows_the_zoo_as_it_is() -> None:
    guide = (ROOT / "docs" / "howto" / "drift.md").read_text()
    for batch in zoo.BATCHES:
        for drift in batch:
            mark = "•" if drift.handful else ""
            quick, mended = "yes" if drift.quick else "no", "yes" if drift.mended else "by hand"
            assert f"| {mark} | {drift.name} | {', '.join(drift.layers)} | {quick} | {mended} |" in guide
    for done in by_hand.ALL:
        mark, mended = "•" if done.undo else "", "yes" if done.mended else "by hand"
        assert f"| {mark} | {done.name} | infrastructure | no | {mended} |" in guide
    drifts = [drift for batch in zoo.BATCHES for drift in batch]
    assert len(drifts) >= 30
    assert len({(drift.of, drift.item) for drift in drifts}) == len(drifts)
    assert len(zoo.HANDFUL) * 3 >= len(drifts)
