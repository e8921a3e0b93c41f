from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from mirrorforce import estate_file, placement
from mirrorforce.workspace import ROOT
from tests.estates import cell, estates

if TYPE_CHECKING:
    from ipaddress import IPv4Address

    from mirrorforce.estate import Estate

REFERENCE = Path(ROOT / "docs/reference/estate-file.md")


def addresses(estate: Estate) -> dict[str, IPv4Address]:
    return {host.name: host.address for host in placement.hosts(estate)}


def test_the_lab_has_a_control_host_and_a_member_of_each_cell_in_each_mirrored_site() -> None:
    lab = estate_file.load(ROOT / "stacks/lab.yaml")
    assert [f"{host.name} {host.role} {host.address}" for host in placement.hosts(lab)] == [
        "east-control control 198.18.1.10",
        "east-na1 database 198.18.1.20",
        "east-na2 database 198.18.1.24",
        "west-control control 198.18.2.10",
        "west-na1 database 198.18.2.20",
        "west-na2 database 198.18.2.24",
        "legacy-control control 198.18.3.10",
        "legacy-na1 database 198.18.3.20",
        "legacy-na2 database 198.18.3.24",
        "dev-app application 198.18.4.11",
    ]


@given(estates())
def test_every_host_has_an_address_and_a_name_of_its_own(estate: Estate) -> None:
    hosts = placement.hosts(estate)
    assert len({host.address for host in hosts}) == len({host.name for host in hosts}) == len(hosts)


@given(estates())
def test_addresses_lie_inside_the_site_beyond_what_gateway_and_platform_keep(estate: Estate) -> None:
    for host in placement.hosts(estate):
        cidr = estate.site(host.site).cidr
        assert host.address in cidr
        assert host.address - 3 > cidr.network_address
        assert host.address != cidr.broadcast_address


@given(estates())
def test_there_are_as_many_hosts_as_the_file_asks_for(estate: Estate) -> None:
    hosts = placement.hosts(estate)
    for site in estate.sites:
        of_site = [host for host in hosts if host.site == site.name]
        assert sum(host.role == "control" for host in of_site) == int(site.mirrored)
        assert sum(host.role == "application" for host in of_site) == site.application_hosts
        for each in estate.cells:
            assert sum(host.cell == each.name for host in of_site) == each.members.get(site.name, 0)


@given(estates(), st.integers(0, 57))
def test_an_appended_cell_moves_nobody(estate: Estate, slot: int) -> None:
    assume(slot not in {each.slot for each in estate.cells})
    newcomer = cell("na9", {estate.sites[0].name: 1}, slot=slot)
    grown = replace(estate, cells=(*estate.cells, newcomer))
    assert addresses(estate).items() < addresses(grown).items()


@given(estates(), st.data())
def test_a_cell_that_leaves_moves_nobody_whose_slot_stays(estate: Estate, data: st.DataObject) -> None:
    assume(estate.cells)
    gone = data.draw(st.sampled_from(estate.cells))
    shrunk = replace(estate, cells=tuple(each for each in estate.cells if each != gone))
    assert addresses(shrunk).items() < addresses(estate).items()


@given(estates(), st.data())
def test_one_more_application_host_moves_nobody(estate: Estate, data: st.DataObject) -> None:
    site = data.draw(st.sampled_from(estate.sites))
    assume(site.application_hosts < placement.MOST_APPLICATION_HOSTS)
    larger = replace(site, application_hosts=site.application_hosts + 1)
    grown = replace(estate, sites=tuple(larger if each == site else each for each in estate.sites))
    assert addresses(estate).items() < addresses(grown).items()


@given(estates(), st.data())
def test_one_more_member_moves_nobody(estate: Estate, data: st.DataObject) -> None:
    assume(estate.cells)
    old = data.draw(st.sampled_from(estate.cells))
    site = data.draw(st.sampled_from(estate.sites)).name
    assume(old.members.get(site, 0) < placement.MOST_MEMBERS_PER_SITE)
    new = replace(old, members={**old.members, site: old.members.get(site, 0) + 1})
    grown = replace(estate, cells=tuple(new if each == old else each for each in estate.cells))
    assert addresses(estate).items() < addresses(grown).items()


def test_the_address_plan_in_the_reference_is_the_one_in_use() -> None:
    plan = REFERENCE.read_text()
    last = placement.APPLICATION_OFFSET + placement.MOST_APPLICATION_HOSTS - 1
    assert f"| {placement.CONTROL_OFFSET} | " in plan
    assert f"| {placement.APPLICATION_OFFSET} to {last} | " in plan
    assert f"| {placement.DATABASE_OFFSET} + {placement.MOST_MEMBERS_PER_SITE} * slot + n | " in plan
