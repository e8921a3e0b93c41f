from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mirrorforce import dns_variables, estate_file, placement, secrets

if TYPE_CHECKING:
    from mirrorforce.estate import Estate, Host

ESTATE = Path(__file__).parents[2] / "stacks" / "lab.yaml"


@pytest.fixture(scope="module")
def estate() -> Estate:
    return estate_file.load(ESTATE)


@pytest.fixture(scope="module")
def known(estate: Estate) -> secrets.EstateSecrets:
    return secrets.generate(estate)


def host(estate: Estate, name: str) -> Host:
    return {each.name: each for each in placement.hosts(estate)}[name]


def test_clients_read_from_their_own_site_then_from_the_nearest(estate: Estate) -> None:
    members = placement.members_of_cell(estate, estate.cell("na1"))
    west, dev = estate.site("west"), estate.site("dev")
    assert dns_variables.nearest_first(estate, members, west) == ["west-na1", "legacy-na1", "east-na1"]
    assert dns_variables.nearest_first(estate, members, dev)[0] == "west-na1"


def test_every_site_is_a_net_of_every_cell(estate: Estate, known: secrets.EstateSecrets) -> None:
    hosts = placement.hosts(estate)
    found = dns_variables.failover_dns(estate, hosts, host(estate, "west-control"), known)
    cells = json.loads(json.dumps(found["failover_dns_cells"]))
    assert [cell["name"] for cell in cells] == ["na1", "na2"]
    for cell in cells:
        assert [near["clients"] for near in cell["nearest"]] == [str(site.cidr) for site in estate.sites]
        names = {member["name"] for member in cell["members"]}
        assert all(set(near["members"]) == names for near in cell["nearest"])
        assert cell["members"][0]["site"] == estate.cell(cell["name"]).preferred_site


def test_a_control_host_asks_its_own_voter_first(estate: Estate, known: secrets.EstateSecrets) -> None:
    hosts = placement.hosts(estate)
    found = dns_variables.failover_dns(estate, hosts, host(estate, "west-control"), known)
    voters = json.loads(json.dumps(found["failover_dns_voters"]))
    assert [voter["site"] for voter in voters] == ["west", "legacy", "east"]
    assert voters[0]["url"] == f"https://{host(estate, 'west-control').address}:2379"


def test_an_application_host_asks_the_nearest_server_first(estate: Estate) -> None:
    hosts = placement.hosts(estate)
    found = dns_variables.resolver(estate, hosts, host(estate, "dev-app"))
    expected = [str(host(estate, f"{site}-control").address) for site in ("west", "legacy", "east")]
    assert found["resolver_servers"] == expected


def test_each_service_has_the_password_of_its_user(estate: Estate, known: secrets.EstateSecrets) -> None:
    found = json.loads(json.dumps(dns_variables.application(estate, host(estate, "dev-app"), known)))
    services = found["application_services"]
    assert [one["name"] for one in services] == ["na1", "na1-multi", "na1-ro", "na2", "na2-multi", "na2-ro"]
    assert [one["user"] for one in services] == ["application", "application", "reader"] * 2
    for cell in ("na1", "na2"):
        passwords = [found["application_passwords"][f"{cell}{suffix}"] for suffix in ("", "-multi", "-ro")]
        of_cell = known.cells[cell]
        application = [{"user": "application", "password": of_cell.application_password}]
        reader = [{"user": "reader", "password": of_cell.reader_password}]
        assert passwords == [application, application, reader]


def test_names_are_looked_up_in_dns_and_members_are_not(estate: Estate, known: secrets.EstateSecrets) -> None:
    found = json.loads(json.dumps(dns_variables.application(estate, host(estate, "dev-app"), known)))
    by_name, multi, nearest = found["application_services"][3:]
    assert by_name["hosts"] == [{"name": "na2.lab.test", "address": ""}]
    assert nearest["hosts"] == [{"name": "na2-ro.lab.test", "address": ""}]
    assert [one["name"] for one in multi["hosts"]] == [
        f"{site}-na2.lab.test" for site in ("west", "east", "legacy")
    ]
    assert [one["address"] for one in multi["hosts"]] == [
        str(host(estate, f"{site}-na2").address) for site in ("west", "east", "legacy")
    ]
    assert [one["primary"] for one in (by_name, multi, nearest)] == [True, True, False]


def test_a_client_gives_an_address_more_than_the_round_trips_of_a_connection(estate: Estate) -> None:
    alone = replace(estate, fence_and_release=False)
    assert dns_variables.connect_timeout(alone, "dev") == 2  # six of 70 ms, four times: 1.68 s
    assert dns_variables.connect_timeout(estate, "dev") == 1  # twice: 0.84 s
    links = tuple(replace(link, round_trip_ms=link.round_trip_ms * 2) for link in estate.links)
    assert dns_variables.connect_timeout(replace(estate, links=links), "dev") == 2
    near = tuple(replace(link, round_trip_ms=1) for link in estate.links)
    assert dns_variables.connect_timeout(replace(estate, links=near), "dev") == 1
