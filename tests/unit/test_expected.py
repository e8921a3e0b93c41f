from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mirrorforce import estate_file, expected, placement
from mirrorforce.flows import rules_for
from mirrorforce.operations.verify_requests import attempts, for_verify, forbidden_targets
from mirrorforce.workspace import ROOT

if TYPE_CHECKING:
    from mirrorforce.estate import Host

ESTATE = estate_file.load(ROOT / "stacks" / "lab.yaml")
HOSTS = placement.hosts(ESTATE)
ANYWHERE = "::"
BY_NAME = {host.name: host for host in HOSTS}


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_every_declared_tcp_flow_has_a_socket_that_answers_it(host: Host) -> None:
    answering = {
        (one.protocol, one.port) for one in expected.sockets(host) if one.address != expected.LOOPBACK
    }
    declared = {
        (rule.protocol, rule.port) for rule in rules_for(ESTATE, HOSTS, host) if rule.protocol != "icmp"
    }
    assert declared == answering


def test_a_resolvers_questions_are_no_listeners() -> None:
    seen = [
        {"protocol": "udp", "address": ANYWHERE, "port": 40123, "process": "unbound"},
        {"protocol": "udp", "address": "127.0.0.1", "port": 53, "process": "unbound"},
        {"protocol": "udp", "address": ANYWHERE, "port": 40124, "process": "nc"},
    ]
    assert {one.port for one in expected.listening(seen)} == {53, 40124}


@pytest.mark.parametrize(
    ("declared", "shown", "unit", "same"),
    [
        ("512MB", "65536", "8kB", True),
        ("512MB", "512", "MB", True),
        ("512MB", "32", "16MB", True),
        ("512MB", "511", "MB", False),
        ("5min", "300", "s", True),
        ("10000ms", "10000", "ms", True),
        ("10000ms", "10", "ms", False),
        ("1s", "1", "s", True),
        (2, "2", "s", True),
        (2, "3", "s", False),
        ("on", "on", None, True),
        ("on", "off", None, False),
        (200, "200", None, True),
        (200, "100", None, False),
        ("5min", "300", "kB", False),
        ("on", None, None, False),
    ],
)
def test_a_setting_is_compared_by_what_it_means(
    declared: object, shown: str | None, unit: str | None, *, same: bool
) -> None:
    assert expected.same_setting(declared, shown, unit) is same


@pytest.mark.parametrize(
    ("mode", "owner", "faults"),
    [("0600", "postgres", 0), ("0400", "postgres", 0), ("0640", "postgres", 1), ("0604", "root", 2)],
)
def test_a_secret_file_may_allow_less_but_not_more(mode: str, owner: str, faults: int) -> None:
    secret = expected.SecretFile("/etc/patroni/config.yml", ("postgres",))
    assert len(secret.faults({"mode": mode, "owner": owner, "group": "postgres"})) == faults


@pytest.mark.parametrize(("group", "faults"), [("postgres", 0), ("users", 1)])
def test_a_secret_file_is_open_to_no_other_group(group: str, faults: int) -> None:
    secret = expected.SecretFile("/etc/patroni/config.yml", ("root",), 0o640, readers="postgres")
    assert len(secret.faults({"mode": "0640", "owner": "root", "group": group})) == faults


def test_a_secret_file_that_is_gone_is_a_fault() -> None:
    assert expected.SecretFile("/x", ("root",)).faults(None) == ["/x is not there"]


def test_no_door_that_a_flow_opens_counts_as_forbidden() -> None:
    east, app = BY_NAME["east-na1"], BY_NAME["dev-app"]
    targets = forbidden_targets(ESTATE, HOSTS, east)
    assert (str(BY_NAME["west-na1"].address), 5432) not in targets
    assert (str(BY_NAME["west-na2"].address), 5432) in targets
    assert (str(BY_NAME["east-control"].address), 2379) in forbidden_targets(ESTATE, HOSTS, app)
    assert (str(BY_NAME["east-control"].address), 53) not in forbidden_targets(ESTATE, HOSTS, app)


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_every_host_tries_doors_each_with_a_name_of_its_own(host: Host) -> None:
    names = [attempt["id"] for attempt in attempts(ESTATE, HOSTS, host)]
    assert names
    assert len(set(names)) == len(names)
    assert "unreachable" in for_verify(ESTATE, HOSTS, host)
