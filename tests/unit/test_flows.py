from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import flows, placement
from tests.estates import cell, estate, estates, site

if TYPE_CHECKING:
    from mirrorforce.estate import Estate, Host

SERVICES = [
    ("icmp", None),
    *(("tcp", port) for port in (22, 53, 80, 2379, 2380, 5432, 8008)),
    *(("udp", port) for port in (53, 123)),
]


def declared(source: Host, protocol: str, port: int | None, target: Host) -> bool:
    """Who may speak to whom, said host by host; the table says it by roles."""
    roles = (source.role, target.role)
    same_cell = source.cell is not None and source.cell == target.cell
    return {
        ("icmp", None): True,
        ("tcp", 2379): roles in {("control", "control"), ("database", "control")},
        ("tcp", 2380): roles == ("control", "control"),
        ("tcp", 53): roles in {("control", "control"), ("application", "control")},
        ("udp", 53): roles in {("control", "control"), ("application", "control")},
        ("tcp", 5432): same_cell or roles == ("application", "database"),
        ("tcp", 8008): same_cell or roles == ("control", "database"),
    }.get((protocol, port), False)


def lets_in(rules: tuple[flows.Rule, ...], source: IPv4Address, protocol: str, port: int | None) -> bool:
    return any(
        rule.protocol == protocol
        and rule.port == port
        and any(source in net if isinstance(net, IPv4Network) else source == net for net in rule.sources)
        for rule in rules
    )


@given(estates(), st.data())
def test_each_pair_of_hosts_may_do_what_is_declared_and_nothing_else(
    estate: Estate, data: st.DataObject
) -> None:
    hosts = placement.hosts(estate)
    if not hosts:
        return
    target = data.draw(st.sampled_from(hosts))
    rules = flows.rules_for(estate, hosts, target)
    for source in hosts:
        for protocol, port in SERVICES:
            allowed = source != target and declared(source, protocol, port, target)
            # A host's echo to itself lies inside its site's network; it never passes the filter.
            if source == target and protocol == "icmp":
                continue
            assert lets_in(rules, source.address, protocol, port) == allowed, (source.name, protocol, port)


@given(estates())
def test_ssh_comes_from_the_sites_own_gateway_alone(estate: Estate) -> None:
    hosts = placement.hosts(estate)
    for host in hosts:
        (ssh,) = (rule for rule in flows.rules_for(estate, hosts, host) if rule.port == 22)
        assert ssh.sources == (placement.gateway(estate.site(host.site)),)


@given(estates())
def test_no_source_is_outside_the_estate(estate: Estate) -> None:
    hosts = placement.hosts(estate)
    addresses = {host.address for host in hosts}
    for host in hosts:
        for rule in flows.rules_for(estate, hosts, host):
            if rule.name == "echo":
                assert set(rule.sources) == {each.cidr for each in estate.sites}
            elif rule.name != "ssh":
                assert set(rule.sources) <= addresses - {host.address}


@given(estates())
def test_rules_are_never_empty_and_their_names_stand_once(estate: Estate) -> None:
    hosts = placement.hosts(estate)
    for host in hosts:
        rules = flows.rules_for(estate, hosts, host)
        assert all(rule.sources for rule in rules)
        assert len({rule.name for rule in rules}) == len(rules)


@given(estates())
def test_rules_do_not_depend_on_the_order_of_hosts(estate: Estate) -> None:
    hosts = placement.hosts(estate)
    for host in hosts:
        assert flows.rules_for(estate, hosts, host) == flows.rules_for(estate, hosts[::-1], host)


def test_a_cell_does_not_reach_another_cells_database() -> None:
    sites = (site("east", 1, "a"), site("west", 2, "b"))
    both = {"east": 1, "west": 1}
    two = estate(*sites, cells=(cell("na1", both), cell("na2", both, slot=1)))
    hosts = placement.hosts(two)
    target = next(host for host in hosts if host.name == "east-na1")
    rules = {rule.name: rule for rule in flows.rules_for(two, hosts, target)}
    assert rules["postgres"].sources == (IPv4Address("198.18.2.20"),)
