"""A static site in the estate file: what is read of it, and every way in which it can be wrong."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import estate_static, flows, placement, role_variables, secrets
from mirrorforce.expected import sockets
from tests.estate_files import drop, faults_of_text, lab, load_document, put
from tests.static_files import ADDRESSES, SITE, host_key, with_static_legacy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mirrorforce.estate import Estate
    from mirrorforce.faults import Fault

STATIC = ("sites", SITE, "static")
HOSTS = (*STATIC, "hosts")
HERE = f"sites.{SITE}.static"


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return load_document(tmp_path, with_static_legacy())


def faults(folder: Path, *changes: Callable[[dict[str, Any]], object]) -> dict[str, Fault]:
    document = with_static_legacy()
    for change in changes:
        change(document)
    return faults_of_text(folder, yaml.safe_dump(document, sort_keys=False))


def test_hosts_of_a_static_site_have_the_addresses_of_the_file(estate: Estate) -> None:
    found = {host.name: str(host.address) for host in placement.hosts_of_site(estate, estate.site(SITE))}
    assert found == ADDRESSES


def test_every_other_host_stays_where_the_plan_puts_it(estate: Estate, tmp_path: Path) -> None:
    planned = {host.name: host.address for host in placement.hosts(load_document(tmp_path, lab()))}
    found = {host.name: host.address for host in placement.hosts(estate)}
    assert found.keys() == planned.keys()
    assert {name for name in found if found[name] != planned[name]} == set(ADDRESSES)


def test_a_host_may_be_reached_in_another_way_than_its_site(tmp_path: Path) -> None:
    document = with_static_legacy()
    document["sites"][SITE]["static"]["ssh"] = {"user": "ops", "proxy_command": "ssh -W %h:%p jump"}
    document["sites"][SITE]["static"]["hosts"]["legacy-na1"]["ssh"] = {"port": 2222, "user": "dba"}
    static = load_document(tmp_path, document).site(SITE).static
    assert static is not None
    of = {machine.name: (machine.user, machine.port, machine.proxy_command) for machine in static.machines}
    assert of["legacy-na1"] == ("dba", 2222, "ssh -W %h:%p jump")
    assert of["legacy-na2"] == ("ops", 22, "ssh -W %h:%p jump")


def test_ssh_is_let_in_from_the_declared_controllers_at_the_hosts_own_port(tmp_path: Path) -> None:
    document = with_static_legacy()
    document["sites"][SITE]["static"]["controllers"] = ["10.20.0.0/24", "10.20.1.0/24", "10.9.9.9/32"]
    document["sites"][SITE]["static"]["hosts"]["legacy-na1"]["ssh"] = {"port": 2222}
    estate = load_document(tmp_path, document)
    hosts = placement.hosts(estate)
    host = next(host for host in hosts if host.name == "legacy-na1")
    (ssh,) = [rule for rule in flows.rules_for(estate, hosts, host) if rule.name == "ssh"]
    assert ssh.port == 2222
    # Neighbours are one network: a packet filter's set takes none that overlap.
    assert set(ssh.sources) == {IPv4Network("10.9.9.9/32"), IPv4Network("10.20.0.0/23")}
    assert {socket.port for socket in sockets(host)} & {22, 2222} == {2222}


def test_the_account_of_the_file_is_the_one_that_stays(estate: Estate, tmp_path: Path) -> None:
    document = with_static_legacy()
    document["sites"][SITE]["static"]["ssh"]["user"] = "ops"
    other = load_document(tmp_path, document)
    for known, name, admin in ((other, "legacy-control", "ops"), (estate, "east-control", None)):
        hosts = placement.hosts(known)
        host = next(host for host in hosts if host.name == name)
        variables = role_variables.for_host(known, hosts, host, secrets.generate(known))
        assert variables.get("base_admin") == admin


@pytest.mark.parametrize(("own_kernel", "watchdog"), [(True, "required"), (False, "off")])
def test_a_container_has_no_say_over_kernel_clock_and_watchdog(
    tmp_path: Path,
    own_kernel: bool,  # noqa: FBT001 (a parameter of a test)
    watchdog: str,
) -> None:
    document = with_static_legacy()
    document["sites"][SITE]["static"]["own_kernel"] = own_kernel
    estate = load_document(tmp_path, document)
    hosts = placement.hosts(estate)
    host = next(host for host in hosts if host.name == "legacy-na1")
    variables = role_variables.for_host(estate, hosts, host, secrets.generate(estate))
    assert (variables["base_owns_kernel"], variables["base_owns_clock"]) == (own_kernel, own_kernel)
    assert variables["postgres_watchdog"] == watchdog


def test_a_machine_for_each_host_is_asked_for_by_its_role(tmp_path: Path) -> None:
    found = faults(tmp_path, drop(*HOSTS, "legacy-na2"), put(*HOSTS, "legacy-control", value=None))
    assert "a member of the cell na2" in found[f"{HERE}.hosts.legacy-na2"].allowed
    assert "mapping" in found[f"{HERE}.hosts.legacy-control"].allowed


def test_all_machines_that_are_missing_are_told_at_once(tmp_path: Path) -> None:
    found = faults(tmp_path, put(*HOSTS, value={}))
    assert set(found) == {f"{HERE}.hosts.{name}" for name in ADDRESSES}


def test_a_misspelt_machine_gets_the_nearest_host(tmp_path: Path) -> None:
    document = with_static_legacy()
    hosts = document["sites"][SITE]["static"]["hosts"]
    hosts["legacy-na3"] = hosts.pop("legacy-na2")
    found = faults_of_text(tmp_path, yaml.safe_dump(document, sort_keys=False))
    assert found[f"{HERE}.hosts.legacy-na3"].meant in ADDRESSES
    assert f"{HERE}.hosts.legacy-na2" in found


def test_a_fault_of_a_cell_makes_none_of_its_machines_superfluous(tmp_path: Path) -> None:
    found = faults(tmp_path, put("cells", "na2", "synchronous_copies", value="one"))
    assert set(found) == {"cells.na2.synchronous_copies"}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("hosts", "legacy-na1", "address"), "198.18.3.300", "no IPv4 address"),
        (("hosts", "legacy-na1", "address"), "198.18.2.41", "198.18.2.41"),
        (("hosts", "legacy-na1", "address"), "198.18.3.0", "198.18.3.0"),
        (("hosts", "legacy-na1", "address"), "198.18.3.255", "198.18.3.255"),
        (("hosts", "legacy-na1", "address"), ADDRESSES["legacy-control"], "address of legacy-control"),
        (("hosts", "legacy-na1", "host_key"), host_key("legacy-control"), "host_key of legacy-control"),
        (("hosts", "legacy-na1", "host_key"), "ssh-ed25519 AAAA", "no ed25519 public key"),
        (("hosts", "legacy-na1", "host_key"), f"{host_key('x')} root@x", "ssh-ed25519 AAAA"),
        (("hosts", "legacy-na1", "host_key"), host_key("x")[:-5], "no ed25519 public key"),
        (("hosts", "legacy-na1", "host_key"), "ssh-rsa AAAAB3NzaC1yc2E=", "ssh-rsa"),
        (("ssh", "user"), "root", "root"),
        (("ssh", "port"), 0, "0"),
        (("ssh", "port"), 65536, "65536"),
        (("ssh", "proxy_command"), "nc %h %p\nHost *", "Host"),
        (("controllers",), [], "a list"),
        (("controllers", 0), "198.18.3.1", "198.18.3.1"),
        (("controllers", 0), "198.18.3.1/24", "an address inside the network 198.18.3.0/24"),
        (("controllers", 0), "198.18.3.1/33", "no IPv4 network"),
    ],
)
def test_a_value_that_cannot_be_is_told_at_its_place(
    tmp_path: Path, path: tuple[str | int, ...], value: object, words: str
) -> None:
    found = faults(tmp_path, put(*STATIC, *path, value=value))
    shown = HERE + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    assert set(found) == {shown}
    assert words in found[shown].found


def test_what_a_machine_must_say_is_asked_for(tmp_path: Path) -> None:
    found = faults(tmp_path, drop(*HOSTS, "legacy-na1", "host_key"), drop(*STATIC, "controllers"))
    assert set(found) == {f"{HERE}.hosts.legacy-na1.host_key", f"{HERE}.controllers"}
    assert "ssh_host_ed25519_key.pub" in found[f"{HERE}.hosts.legacy-na1.host_key"].allowed


def test_a_static_site_without_its_machines_is_none(tmp_path: Path) -> None:
    found = faults(tmp_path, drop(*STATIC))
    assert "the machines that exist" in found[HERE].allowed


def test_machines_have_no_place_in_a_site_that_is_built(tmp_path: Path) -> None:
    found = faults(tmp_path, put("sites", SITE, "platform", value="lab"))
    assert "no place here" in found[HERE].allowed


def test_a_misspelt_platform_is_one_fault(tmp_path: Path) -> None:
    found = faults(tmp_path, put("sites", SITE, "platform", value="statc"))
    assert {path: fault.meant for path, fault in found.items()} == {f"sites.{SITE}.platform": "static"}


def test_a_static_site_beside_the_labs_lies_in_the_labs_range(tmp_path: Path) -> None:
    document = with_static_legacy()
    site = document["sites"][SITE]
    site["cidr"] = "10.20.3.0/24"
    for name, host in site["static"]["hosts"].items():
        host["address"] = ADDRESSES[name].replace("198.18", "10.20")
    found = faults_of_text(tmp_path, yaml.safe_dump(document, sort_keys=False))
    assert set(found) == {f"sites.{SITE}.cidr"}


def test_static_sites_alone_may_have_any_network(tmp_path: Path) -> None:
    document = with_static_legacy()
    hosts = placement.hosts(load_document(tmp_path, lab()))
    for name, site in document["sites"].items():
        site["cidr"] = site["cidr"].replace("198.18", "10.20")
        if name != SITE:
            site["platform"] = "static"
            site["static"] = {"controllers": ["10.9.9.9/32"], "ssh": {"user": "ops"}, "hosts": {}}
        own = {host.name: str(host.address) for host in hosts if host.site == name}
        for host, address in own.items():
            moved = address.replace("198.18", "10.20")
            site["static"]["hosts"][host] = {"address": moved, "host_key": host_key(host)}
    estate = load_document(tmp_path, document)
    assert {host.ssh_port for host in placement.hosts(estate)} == {22}
    assert all(site.own_kernel for site in estate.sites if site.name != SITE)


@given(st.integers(0, 2**32 - 1))
def test_every_ipv4_address_is_read_as_itself(number: int) -> None:
    address = IPv4Address(number)
    entry = {
        "controllers": [f"{address}/32"],
        "own_kernel": True,
        "ssh": {"user": "ops", "port": 22, "proxy_command": ""},
        "hosts": {"db": {"address": str(address), "host_key": host_key("db")}},
    }
    assert not list(estate_static.value_faults({"sites": {"colo": {"static": entry}}}))
    static = estate_static.read(entry)
    assert static is not None
    assert static.machine("db").address == address
    assert static.controllers == (IPv4Network(address),)


@given(st.text())
def test_no_text_that_is_to_be_an_address_a_network_or_a_key_breaks_the_reading(text: str) -> None:
    entry = {"controllers": [text], "hosts": {"db": {"address": text, "host_key": text}}}
    assert list(estate_static.value_faults({"sites": {"colo": {"static": entry}}}))
