"""What an estate file says about AWS: what it means, and every fault in it."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import aws, estate_file, flows, placement, security_groups
from mirrorforce.faults import Fault, FileFaultsError, shown
from mirrorforce.workspace import ROOT
from tests.estate_files import drop, put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mirrorforce.estate import Estate

FILE = ROOT / "stacks" / "aws.yaml"
ESTATE = estate_file.load(FILE)
HOSTS = placement.hosts(ESTATE)


def load(folder: Path, *changes: Callable[[dict[str, Any]], object]) -> Estate:
    document = yaml.safe_load(FILE.read_text())
    for change in changes:
        change(document)
    path = folder / "aws.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return estate_file.load(path)


def faults(folder: Path, *changes: Callable[[dict[str, Any]], object]) -> dict[str, Fault]:
    with pytest.raises(FileFaultsError) as caught:
        load(folder, *changes)
    return {shown(fault.path): fault for fault in caught.value.faults}


def test_a_site_takes_the_estates_instance_types_and_may_have_others(tmp_path: Path) -> None:
    estate = load(tmp_path, put("sites", "west", "aws", "instance_types", value={"database": "r7i.xlarge"}))
    east, west = estate.site("east").aws, estate.site("west").aws
    assert east is not None
    assert west is not None
    assert east.instance_types["database"] == "r6g.large"
    assert west.instance_types == {**east.instance_types, "database": "r7i.xlarge"}


@pytest.mark.parametrize(
    ("instance_type", "architecture"),
    [
        ("t4g.small", "arm64"),
        ("r6gd.xlarge", "arm64"),
        ("c7gn.medium", "arm64"),
        ("im4gn.large", "arm64"),
        ("a1.large", "arm64"),
        ("x2gd.large", "arm64"),
        ("r6i.large", "amd64"),
        ("m7a.large", "amd64"),
        ("g5.xlarge", "amd64"),
        ("t3.small", "amd64"),
        ("m7i-flex.large", "amd64"),
    ],
)
def test_an_instance_types_name_says_its_architecture(instance_type: str, architecture: str) -> None:
    assert aws.architecture(instance_type) == architecture


def test_a_site_on_aws_needs_its_section(tmp_path: Path) -> None:
    fault = faults(tmp_path, drop("sites", "east", "aws"))["sites.east.aws"]
    assert "missing" in fault.found
    assert "region and zones" in fault.allowed


def test_the_section_of_aws_has_no_place_on_another_platform(tmp_path: Path) -> None:
    lab = (ROOT / "stacks" / "lab.yaml").read_text().replace("estate: lab", "estate: aws")
    document = yaml.safe_load(lab)
    document["sites"]["east"]["aws"] = {"region": "us-east-1", "zones": ["a"]}
    document["aws"] = {"owner": "a team", "cost_centre": "1"}
    path = tmp_path / "aws.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    with pytest.raises(FileFaultsError) as caught:
        estate_file.load(path)
    found = {shown(fault.path): fault.found for fault in caught.value.faults}
    assert found == {
        "sites.east.aws": "a mapping, while the platform is lab",
        "aws": "a mapping, while no site is on aws",
    }


def test_what_sites_on_aws_share_is_asked_for_by_their_names(tmp_path: Path) -> None:
    assert "east, west, legacy, dev" in faults(tmp_path, drop("aws"))["aws"].found


def test_missing_owner_and_cost_centre_are_told(tmp_path: Path) -> None:
    assert set(faults(tmp_path, put("aws", value={}))) == {"aws.owner", "aws.cost_centre"}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("aws", "account"), 123456789012, "quotes make it text"),
        (("aws", "account"), "12345", "12 digits"),
        (("aws", "instance_types", "database"), "large", "an EC2 instance type"),
        (("aws", "interconnect"), "vpn", "peering, transit-gateway"),
        (("aws", "delegate_from"), "example.org", "above the estate's domain"),
        (("aws", "alarms_to"), "nobody", "an e-mail address"),
        (("sites", "east", "aws", "region"), "Virginia", "a region such as us-east-1"),
        (("sites", "east", "aws", "zones"), [], "1 to 3 items"),
        (("sites", "east", "aws", "zones"), ["a", "b", "c", "d"], "1 to 3 items"),
        (("sites", "east", "aws", "egress"), "open", "nat, nat-per-zone, none"),
        (("sites", "east", "aws", "flow_log_days"), 31, "30"),
        (("sites", "east", "cidr"), "10.41.0.0/25", "/16 to /24"),
        (("sites", "east", "cidr"), "10.0.0.0/15", "/16 to /24"),
        (("sites", "west", "failure_domain"), "virginia", "one failure domain for all sites of a region"),
        (("cells", "na1", "volumes", "data_mib"), 102401, "a multiple of 1024"),
        (("cells", "na1", "volumes", "wal_iops"), 16001, "16000 or less"),
        (("cells", "na1", "volumes", "data_throughput_mib"), 1001, "1000 or less"),
    ],
)
def test_what_is_wrong_is_told_with_what_is_allowed(
    tmp_path: Path, path: tuple[str, ...], value: object, words: str
) -> None:
    found = faults(tmp_path, put(*path, value=value))
    assert any(words in fault.allowed for fault in found.values()), found


def test_the_fault_of_two_failure_domains_in_a_region_names_the_other_site(tmp_path: Path) -> None:
    found = faults(tmp_path, put("sites", "dev", "failure_domain", value="virginia"))
    assert "the site west" in found["sites.dev.failure_domain"].found


def test_networks_that_overlap_are_named_before_anything_is_peered(tmp_path: Path) -> None:
    fault = faults(tmp_path, put("sites", "dev", "cidr", value="10.42.8.0/21"))["sites.dev.cidr"]
    assert "overlaps 10.42.0.0/20 of the site west" in fault.found


def test_volumes_are_held_against_what_gp3_can_be(tmp_path: Path) -> None:
    small = {"data_mib": 10240, "data_iops": 6000, "data_throughput_mib": 250, "wal_mib": 32768}
    fault = faults(tmp_path, put("cells", "na1", "volumes", value=small))["cells.na1.volumes.data_iops"]
    assert fault.found == "6000, too many for 10 GiB"
    assert "5000 or less" in fault.allowed
    fast = {"data_mib": 102400, "data_throughput_mib": 1000}
    path = "cells.na1.volumes.data_throughput_mib"
    fault = faults(tmp_path, put("cells", "na1", "volumes", value=fast))[path]
    assert "750 or less, or data_iops four times as high" in fault.allowed


def test_a_size_between_two_gib_has_the_next_one_as_its_nearest(tmp_path: Path) -> None:
    fault = faults(tmp_path, put("cells", "na1", "volumes", "wal_mib", value=1500))[
        "cells.na1.volumes.wal_mib"
    ]
    assert fault.meant == "2048"


def test_without_a_way_out_the_image_has_to_carry_the_packages(tmp_path: Path) -> None:
    none = put("sites", "east", "aws", "egress", value="none")
    assert "Debian's own image" in faults(tmp_path, none)["sites.east.aws.egress"].found
    load(tmp_path, none, put("aws", "image", value={"owner": "self", "name": "ours-{architecture}-*"}))


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ("0.0.0.0/0", "a good part of the world"),
        ("10.0.0.0/7", "a good part of the world"),
        ("10.1.2.3/8", "an address inside the network 10.0.0.0/8"),
        ("10.0.0.300/32", "no IPv4 network"),
    ],
)
def test_ssh_comes_from_no_more_than_a_private_network(tmp_path: Path, network: str, words: str) -> None:
    direct = put("sites", "east", "aws", "access", value="direct")
    found = faults(tmp_path, direct, put("sites", "east", "aws", "controllers", value=[network]))
    assert words in found["sites.east.aws.controllers[0]"].found


def test_controllers_belong_to_direct_access_and_to_nothing_else(tmp_path: Path) -> None:
    path = "sites.east.aws.controllers"
    assert "endpoint" in faults(tmp_path, put(*path.split("."), value=["10.9.0.0/16"]))[path].found
    assert "none" in faults(tmp_path, put("sites", "east", "aws", "access", value="direct"))[path].found


def test_alarms_that_are_off_are_mailed_to_nobody(tmp_path: Path) -> None:
    found = faults(
        tmp_path, put("aws", "alarms", value=False), put("aws", "alarms_to", value="a@example.com")
    )
    assert "alarms is false" in found["aws.alarms_to"].found


# The address plan


def test_hosts_of_a_site_are_spread_over_its_zones() -> None:
    zones = {host.name: host.zone for host in HOSTS if host.site == "east"}
    assert zones == {"east-control": 0, "east-na1": 0, "east-na2": 1}


@given(st.integers(16, 24), st.integers(1, 3), st.integers(0, 9))
def test_every_host_lies_in_its_zones_quarter_beyond_what_aws_keeps(
    prefix: int, zones: int, slot: int
) -> None:
    site = ESTATE.site("east")
    assert site.aws is not None
    cidr = IPv4Network(f"10.128.0.0/{prefix}")
    site = replace(site, cidr=cidr, application_hosts=8, aws=replace(site.aws, zones=tuple("abc"[:zones])))
    cell = replace(ESTATE.cells[0], members={"east": 4}, slot=slot)
    estate = replace(ESTATE, sites=(site,), cells=(cell,))
    hosts = placement.hosts_of_site(estate, site)
    assert len({host.address for host in hosts}) == len(hosts)
    for host in hosts:
        network = placement.zone_network(site, host.zone)
        assert host.zone < zones
        assert host.address in network
        assert int(host.address) - int(network.network_address) >= 4
        assert host.address != network.broadcast_address
    members = [host.zone for host in hosts if host.cell]
    assert all(one != other for one, other in pairwise(members)) or zones == 1
    services = [placement.access_network(site), *(placement.nat_network(site, zone) for zone in range(zones))]
    assert all(network.prefixlen <= 28 for network in services)  # AWS makes none smaller
    assert not any(host.address in network for host in hosts for network in services)
    taken = {address for _, address in placement.forwarders_of_site(site)}
    assert len(taken) == 2
    assert not taken & {host.address for host in hosts}


def test_the_fewest_slots_a_quarter_has_room_for_are_told_from_the_next(tmp_path: Path) -> None:
    small = put("sites", "east", "cidr", value="10.41.0.0/24")
    load(tmp_path, small, put("cells", "na2", "slot", value=9))
    fault = faults(tmp_path, small, put("cells", "na2", "slot", value=11))["sites.east.cidr"]
    assert "a network of /23 or larger" in fault.allowed


def test_each_region_has_its_forwarders_in_its_first_mirrored_site() -> None:
    assert [site.name for site in placement.forwarding_sites(ESTATE)] == ["east", "west", "legacy"]


def test_ssh_comes_from_the_endpoints_network_or_from_what_is_declared(tmp_path: Path) -> None:
    assert placement.ssh_sources(ESTATE.site("east")) == (IPv4Network("10.41.15.0/24"),)
    changes = {"access": "direct", "controllers": ["10.9.0.0/16", "10.8.0.0/16"]}
    direct = load(
        tmp_path, *(put("sites", "east", "aws", key, value=value) for key, value in changes.items())
    )
    assert placement.ssh_sources(direct.site("east")) == (
        IPv4Network("10.8.0.0/16"),
        IPv4Network("10.9.0.0/16"),
    )


# Security groups


def test_hosts_of_a_role_share_a_security_group_and_members_of_a_cell_have_their_own() -> None:
    keys = [group.key for group in security_groups.groups_of(ESTATE, ESTATE.site("east"))]
    assert keys == ["control", "database-na1", "database-na2"]


def test_what_one_side_may_reach_the_other_side_lets_in() -> None:
    for source in HOSTS:
        reached = {
            (reach.protocol, reach.port, target)
            for reach in flows.reach_of(ESTATE, HOSTS, source)
            for target in reach.targets
            if isinstance(target, IPv4Address)
        }
        let_in = {
            (rule.protocol, rule.port, target.address)
            for target in HOSTS
            for rule in flows.rules_for(ESTATE, HOSTS, target)
            if source.address in rule.sources
        }
        assert reached == let_in, source.name


def test_the_fullest_group_of_the_repositorys_estate_is_within_aws_own_quota() -> None:
    assert 0 < security_groups.most_rules(ESTATE) <= security_groups.QUOTA


def test_an_estate_off_aws_has_no_security_groups_to_count() -> None:
    assert security_groups.most_rules(estate_file.load(ROOT / "stacks" / "lab.yaml")) == 0
