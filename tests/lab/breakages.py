"""Troubles, one by one, as facts of hosts: each must make the right check fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Change = Callable[[Document], None]


@dataclass(frozen=True)
class Breakage:
    """A trouble: how facts look with it, and the checks that have to find it."""

    name: str
    change: Change
    found_by: tuple[str, ...]


def sections(facts: Document, host: str) -> Document:
    found: Document = facts["hosts"][host]["sections"]
    return found


def another_socket(facts: Document) -> None:
    more = {"protocol": "tcp", "address": "198.18.1.20", "port": 8080, "process": "nc"}
    sections(facts, "east-na1")["sockets"]["listening"].append(more)


def accept_all(facts: Document) -> None:
    rule = {"table": "mirrorforce", "chain": "input", "expr": [{"accept": None}]}
    sections(facts, "west-control")["nftables"]["ruleset"].append({"rule": rule})


def stopped_service(facts: Document) -> None:
    sections(facts, "legacy-control")["services"]["units"]["gdnsd.service"]["ActiveState"] = "failed"


def readable_key(facts: Document) -> None:
    sections(facts, "east-na1")["files"]["files"]["/etc/mirrorforce/pki/host.key"]["mode"] = "0644"


def foreign_certificate(facts: Document) -> None:
    other = sections(facts, "west-na1")["certificates"]["files"]
    sections(facts, "east-na1")["certificates"]["files"] = other


def half_rotated(facts: Document) -> None:
    facts["half_rotated"] = ["na1-etcd"]


def sick_voter(facts: Document) -> None:
    sections(facts, "west-control")["etcd"]["health"]["health"] = "false"


def lagging_dns(facts: Document) -> None:
    answers = sections(facts, "legacy-control")["dns"]["answers"]
    answers[0]["addresses"], answers[2]["addresses"] = answers[2]["addresses"], answers[0]["addresses"]


def two_primaries(facts: Document) -> None:
    sections(facts, "west-na1")["patroni"]["member"] |= {"role": "primary", "state": "running"}


def setting(name: str, value: str) -> Change:
    def change(facts: Document) -> None:
        postgres = sections(facts, "east-na1")["postgres"]
        postgres["settings"][name] = value
        if name in postgres["in_force"]:
            postgres["in_force"][name] = value

    return change


def lowered_commit(facts: Document) -> None:
    override = {"database": "app", "role": None, "setting": "synchronous_commit=local"}
    sections(facts, "west-na2")["postgres"]["overrides"].append(override)


def trusting_rule(facts: Document) -> None:
    rules = sections(facts, "west-na2")["postgres"]["hba"]
    rules.append({**rules[0], "type": "host", "method": "trust"})


def open_door(facts: Document) -> None:
    refusals = sections(facts, "dev-app")["refusals"]
    refusals[next(iter(refusals))] = {"got_in": True, "said": "1"}


def reachable_port(facts: Document) -> None:
    sections(facts, "dev-app")["unreachable"]["open"].append(["198.18.1.10", 2379])


def shifted_config(facts: Document) -> None:
    sections(facts, "legacy-na2")["patroni_config"]["config"]["synchronous_mode"] = "off"


def password_login(facts: Document) -> None:
    said = "mirrorforce@198.18.1.20: Permission denied (publickey,password)."
    sections(facts, "east-na1")["ssh_without_key"]["said"] = said


def silent_host(facts: Document) -> None:
    facts["hosts"]["dev-app"] = {"reason": "no answer", "sections": {}}


def breakage(name: str, change: Change, *found_by: str) -> Breakage:
    return Breakage(name, change, found_by)


BREAKAGES = (
    breakage("another socket", another_socket, "test_exactly_the_declared_sockets_listen[east-na1]"),
    breakage(
        "a rule that accepts all",
        accept_all,
        "test_the_packet_filter_is_the_table_of_flows[west-control]",
    ),
    breakage("a stopped service", stopped_service, "test_units_are_active_and_start_at_boot[legacy-control]"),
    breakage("a readable key", readable_key, "test_secrets_are_for_their_owners_alone[east-na1]"),
    breakage("a secret between two values", half_rotated, "test_no_secret_is_half_rotated[na1]"),
    breakage(
        "another host's certificate",
        foreign_certificate,
        "test_the_certificate_names_the_host[east-na1]",
        "test_ports_show_the_hosts_own_certificate[east-na1]",
    ),
    breakage("a sick voter", sick_voter, "test_the_voter_is_healthy[west-control]"),
    breakage(
        "a DNS server that lags",
        lagging_dns,
        "test_each_server_answers_for_the_cell[na1-udp]",
        "test_each_server_answers_for_the_cell[na2-udp]",
    ),
    breakage("two primaries", two_primaries, "test_one_member_leads[na1]", "test_every_standby_streams[na1]"),
    breakage(
        "fsync off",
        setting("fsync", "off"),
        "test_commits_are_durable[east-na1]",
        "test_declared_parameters_are_in_force[east-na1]",
    ),
    breakage("no checksums", setting("data_checksums", "off"), "test_commits_are_durable[east-na1]"),
    breakage(
        "no quorum", setting("synchronous_standby_names", ""), "test_the_quorum_is_the_computed_one[na1]"
    ),
    breakage("a lowered commit", lowered_commit, "test_nobody_lowers_synchronous_commit[west-na2]"),
    breakage("trust", trusting_rule, "test_nobody_is_let_in_in_plain_text_or_on_trust[west-na2]"),
    breakage("an open door", open_door, "test_no_door_opens_without_its_key[dev-app]"),
    breakage(
        "a port that answers", reachable_port, "test_nothing_undeclared_can_be_reached_from_here[dev-app]"
    ),
    breakage(
        "a shifted configuration",
        shifted_config,
        "test_the_dynamic_configuration_is_the_declared_one[na2]",
    ),
    breakage("log-in by password", password_login, "test_sshd_lets_in_keys_alone[east-na1]"),
    breakage(
        "a silent host",
        silent_host,
        "test_units_are_active_and_start_at_boot[dev-app]",
        "test_applications_hear_the_primary[dev-app-servers]",
    ),
)
