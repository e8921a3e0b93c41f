"""What the lab's things are called, and what they are to be."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.errors import BadInputError
from mirrorforce.lab import names
from mirrorforce.lab.specs import HostSpec, LinkSpec, NetworkSpec, VolumeSpec

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(LABELS)
def test_interface_names_fit_what_the_kernel_allows(name: str) -> None:
    assert len(names.tap(name)) <= 15
    assert len(names.port(name)) <= 15
    assert names.port(name) == f"vb-{names.machine(name)}"


def test_long_names_that_begin_alike_get_different_interfaces() -> None:
    assert names.port("legacy-control") != names.port("legacy-control-2")


def test_a_short_name_is_kept_as_it_is() -> None:
    assert names.tap("west") == "to-west"
    assert names.port("east-na1") == "vb-east-na1"


@given(LABELS, LABELS)
def test_a_link_has_one_name_whichever_site_comes_first(a: str, b: str) -> None:
    assert names.link(a, b) == names.link(b, a)


@pytest.mark.parametrize("name", ["lab-x", "", "Lab", "../etc", "1lab", "lab x"])
def test_an_estate_name_that_could_be_mistaken_for_another_is_refused(name: str) -> None:
    with pytest.raises(BadInputError, match="estate name"):
        names.namespace_prefix(name)


@pytest.mark.parametrize("name", ["", "-east", "east/", "..", "East"])
def test_a_site_name_that_is_no_label_is_refused(name: str) -> None:
    with pytest.raises(BadInputError, match="site name"):
        names.namespace("lab", name)


def test_fixed_mac_addresses_are_local_unicast_and_differ() -> None:
    macs = [
        names.bridge_mac("lab", "east"),
        names.bridge_mac("lab", "west"),
        names.tap_mac("lab", "east", "west"),
        names.tap_mac("lab", "west", "east"),
    ]
    assert len(set(macs)) == len(macs)
    assert all(int(mac[:2], 16) & 3 == 2 for mac in macs)


def host(*volumes: VolumeSpec) -> HostSpec:
    return HostSpec(
        "lab", "east", "east-na1", "lab.test", "198.18.1.11", 24, "198.18.1.1", "/image", "key", volumes
    )


def test_every_spec_comes_back_from_its_json_the_same() -> None:
    network = NetworkSpec("lab", "east", "198.18.1.0/24")
    machine = host(VolumeSpec("data", "/srv/data", 64))
    link = LinkSpec("lab", "east", "west", "198.18.1.0/24", "198.18.2.0/24", "198.18.1.1", "198.18.2.1", 70.0)
    assert NetworkSpec.from_dict(json.loads(json.dumps(network.to_dict()))) == network
    assert HostSpec.from_dict(json.loads(json.dumps(machine.to_dict()))) == machine
    assert LinkSpec.from_dict(json.loads(json.dumps(link.to_dict()))) == link


def test_numbers_that_pulumi_hands_over_as_floats_become_whole() -> None:
    document = {**host(VolumeSpec("data", "/srv/data", 64)).to_dict(), "prefix_length": 24.0}
    document["volumes"] = [{"name": "data", "mount": "/srv/data", "size_mib": 64.0}]
    assert HostSpec.from_dict(document) == host(VolumeSpec("data", "/srv/data", 64))


def test_the_gateway_has_the_first_address() -> None:
    assert NetworkSpec("lab", "east", "198.18.1.0/24").gateway == "198.18.1.1"


def test_a_network_whose_range_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="netmask"):
        NetworkSpec("lab", "east", "198.18.1.0/40")
