"""What is said of a machine that is not what the estate file says: each time the place and the next step."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce import placement
from mirrorforce.faults import shown
from mirrorforce.sites import static_check, static_probe
from mirrorforce.sites.static_check import Answer, Complaint, Facts, Mounted
from tests.estate_files import load_document
from tests.static_files import host_key, with_static_legacy

if TYPE_CHECKING:
    from pathlib import Path

    from mirrorforce.estate import Estate, Host, Machine

HERE = "sites.legacy.static.hosts.legacy-na1"
DATA, WAL = "/srv/postgres/data", "/srv/postgres/wal"
GOOD = Facts(
    hostname="legacy-na1",
    source="198.18.3.1",
    address="198.18.3.41",
    port="22",
    home="/home/mirrorforce",
    group="mirrorforce",
    root="0",
    system="debian 13",
    python="/usr/bin/python3",
    init="systemd",
    container="systemd-nspawn",
    mounts={DATA: Mounted("ext4", 1950), WAL: Mounted("ext4", 970)},
)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    return load_document(tmp_path_factory.mktemp("stacks"), with_static_legacy())


@pytest.fixture(scope="module")
def host(estate: Estate) -> Host:
    return next(host for host in placement.hosts(estate) if host.name == "legacy-na1")


@pytest.fixture(scope="module")
def machine(host: Host) -> Machine:
    assert host.machine
    return host.machine


def of_facts(estate: Estate, host: Host, facts: Facts) -> dict[str, Complaint]:
    assert host.machine
    found = static_check.of_facts(estate, host, host.machine, facts)
    return {shown(complaint.path): complaint for complaint in found}


def test_a_machine_as_declared_gives_no_complaint(estate: Estate, host: Host, machine: Machine) -> None:
    assert static_check.of_answer(host, machine, Answer(machine.host_key, "Permission denied"), {}) is None
    assert of_facts(estate, host, GOOD) == {}
    assert of_facts(estate, host, replace(GOOD, hostname="legacy-na1.lab.test")) == {}


def test_a_machine_that_does_not_answer_is_told_with_address_and_reason(host: Host, machine: Machine) -> None:
    complaint = static_check.of_answer(host, machine, Answer("", "Connection refused"), {})
    assert complaint
    assert shown(complaint.path) == f"{HERE}.address"
    assert complaint.where == "198.18.3.41 port 22"
    assert "Connection refused" in complaint.found


def test_another_key_is_shown_as_ssh_keygen_shows_it(host: Host, machine: Machine) -> None:
    other = host_key("somebody else")
    complaint = static_check.of_answer(host, machine, Answer(other), {})
    assert complaint
    assert shown(complaint.path) == f"{HERE}.host_key"
    assert other in complaint.found
    assert static_check.fingerprint(other) in complaint.found
    assert machine.host_key in complaint.allowed


def test_the_key_of_another_host_tells_which(host: Host, machine: Machine) -> None:
    other = host_key("legacy-na2")
    complaint = static_check.of_answer(host, machine, Answer(other), {other: "legacy-na2"})
    assert complaint
    assert "declared as that of legacy-na2" in complaint.found
    assert "give legacy-na1 and legacy-na2 their own addresses" in complaint.next_step


def test_a_fingerprint_is_that_of_ssh_keygen(tmp_path: Path) -> None:
    key = tmp_path / "key.pub"
    key.write_text(host_key("x") + "\n")
    said = subprocess.run(["ssh-keygen", "-lf", key], capture_output=True, text=True, check=True).stdout
    assert static_check.fingerprint(host_key("x")) == said.split()[1]


def test_whoever_is_not_let_in_is_told_the_line_that_lets_him_in(host: Host, machine: Machine) -> None:
    complaint = static_check.of_login(host, machine, "Permission denied (publickey).", "ssh-ed25519 AAAA x\n")
    assert shown(complaint.path) == f"{HERE}.ssh.user"
    assert complaint.next_step.endswith("~mirrorforce/.ssh/authorized_keys have the line: ssh-ed25519 AAAA x")


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"hostname": "db7"}, HERE, "calls itself db7"),
        ({"address": "10.0.0.7"}, f"{HERE}.address", "10.0.0.7 port 22"),
        ({"port": "2222"}, f"{HERE}.address", "198.18.3.41 port 2222"),
        ({"source": "192.0.2.7"}, "sites.legacy.static.controllers", "from 192.0.2.7"),
        ({"source": "fe80::1"}, "sites.legacy.static.controllers", "from fe80::1"),
        ({"source": ""}, "sites.legacy.static.controllers", "outside 198.18.3.1/32"),
        ({"container": "none"}, "sites.legacy.static.own_kernel", "false, while the machine has a kernel"),
        ({"root": "sudo: a password is required"}, f"{HERE}.ssh.user", "a password is required"),
        ({"root": ""}, f"{HERE}.ssh.user", "nothing"),
        ({"home": "/root"}, f"{HERE}.ssh.user", "the home /root"),
        ({"group": "users"}, f"{HERE}.ssh.user", "the group users"),
        ({"system": "debian 12"}, HERE, "debian 12"),
        ({"init": "runit"}, HERE, "started by runit"),
        ({"python": ""}, HERE, "no python3"),
        ({"mounts": {DATA: GOOD.mounts[DATA], WAL: None}}, HERE, f"no file system of its own at {WAL}"),
        ({"mounts": {**GOOD.mounts, DATA: Mounted("xfs", 1000)}}, HERE, f"1000 MiB (xfs) at {DATA}"),
    ],
)
def test_what_a_machine_lacks_is_told_at_its_place(
    estate: Estate, host: Host, changes: dict[str, object], path: str, words: str
) -> None:
    found = of_facts(estate, host, replace(GOOD, **changes))  # type: ignore[arg-type]
    assert set(found) == {path}
    assert words in found[path].found
    assert found[path].allowed
    assert found[path].next_step


def test_a_kernel_of_its_own_that_is_a_container_is_told(tmp_path: Path) -> None:
    document = with_static_legacy()
    document["sites"]["legacy"]["static"]["own_kernel"] = True
    estate = load_document(tmp_path, document)
    host = next(host for host in placement.hosts(estate) if host.name == "legacy-na1")
    assert set(of_facts(estate, host, GOOD)) == {"sites.legacy.static.own_kernel"}


@given(size=st.integers(0, 1 << 22))
def test_a_volume_may_be_larger_but_not_smaller_than_declared(estate: Estate, host: Host, size: int) -> None:
    (declared,) = [volume.size_mib for volume in host.volumes if volume.mount == DATA]
    found = of_facts(estate, host, replace(GOOD, mounts={**GOOD.mounts, DATA: Mounted("ext4", size)}))
    assert bool(found) == (size < 0.9 * declared)


def test_the_error_tells_every_complaint_and_counts_machines(
    estate: Estate, host: Host, machine: Machine
) -> None:
    complaints = list(static_check.of_facts(estate, host, machine, replace(GOOD, hostname="x", root="no")))
    error = static_check.error("lab", complaints, 3)
    assert str(error).startswith("1 of 3 machines are not as stacks/lab.yaml says; nothing was created")
    for complaint in complaints:
        for part in (shown(complaint.path), complaint.found, complaint.allowed, complaint.next_step):
            assert part in str(error)
    assert error.next_step == "then: mirrorforce adopt lab"


def test_what_a_machine_says_is_read() -> None:
    said = f"""hostname=legacy-na1
connection=198.18.3.1 50412 198.18.3.41 22
home=/home/mirrorforce
group=mirrorforce
root=0
system=debian 13
python=/usr/bin/python3
init=systemd
container=systemd-nspawn
{DATA}=ext4 499200 4096
{WAL}=ext4 248320 4096
"""
    assert static_probe.facts_of(said, [DATA, WAL]) == GOOD


@given(st.text())
def test_nothing_that_a_machine_says_breaks_the_reading(said: str) -> None:
    assert static_probe.facts_of(said, []).mounts == {}
