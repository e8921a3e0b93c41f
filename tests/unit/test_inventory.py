from __future__ import annotations

import copy
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mirrorforce import estate_file, inventory, placement, role_variables, secrets
from mirrorforce.errors import MirrorforceError
from mirrorforce.stack_names import StackName, interconnect_stack, parse, site_stacks
from mirrorforce.workspace import Workspace

ESTATE = estate_file.load(Path(__file__).parents[2] / "stacks" / "lab.yaml")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB"


def document(site: str) -> dict[str, Any]:
    hosts = [
        {
            "name": host.name,
            "site": host.site,
            "role": host.role,
            "cell": host.cell,
            "address": str(host.address),
            "host_key": KEY,
            "ssh": {"user": "mirrorforce", "proxy_command": "nc %h %p"},
            "volumes": [{"name": volume.name, "mount": volume.mount} for volume in host.volumes],
        }
        for host in placement.hosts_of_site(ESTATE, ESTATE.site(site))
    ]
    network = {"cidr": str(ESTATE.site(site).cidr), "gateway": str(placement.gateway(ESTATE.site(site)))}
    head = {"version": 1, "estate": "lab", "site": site, "platform": "lab"}
    return {**head, "network": network, "hosts": hosts}


@pytest.fixture
def outputs() -> dict[str, dict[str, Any]]:
    sites = {f"lab-{site.name}": {"inventory": document(site.name)} for site in ESTATE.sites}
    links = [{"between": list(link.between), "round_trip_ms": link.round_trip_ms} for link in ESTATE.links]
    interconnect = {"interconnect": {"version": 1, "estate": "lab", "links": links}}
    return copy.deepcopy({**sites, "lab-interconnect": interconnect})


def test_hosts_are_found_by_name_role_cell_and_site(outputs: dict[str, dict[str, Any]]) -> None:
    found = inventory.from_outputs(ESTATE, outputs)
    assert found.host("east-na1").cell == "na1"
    assert {host.name for host in found.of_role("control")} == {
        "east-control",
        "west-control",
        "legacy-control",
    }
    assert {host.site for host in found.of_cell("na2")} == set(ESTATE.cell("na2").members)
    assert [host.name for host in found.of_site("dev")] == ["dev-app"]


@pytest.mark.parametrize("stack", ["lab-west", "lab-interconnect"])
def test_a_stack_that_is_not_up_is_named_with_the_next_step(
    outputs: dict[str, dict[str, Any]], stack: str
) -> None:
    outputs[stack] = {}
    with pytest.raises(MirrorforceError, match=rf"(?s){stack}.*mirrorforce up lab"):
        inventory.from_outputs(ESTATE, outputs)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("version",), 2),
        (("hosts", 0, "role"), "bastion"),
        (("hosts", 0, "address"), "east-control"),
        (("hosts", 0, "host_key"), "ssh-rsa AAAA"),
        (("hosts", 0, "ssh", "proxy_command"), "nc\nHost *"),
        (("hosts", 0, "extra"), 1),
    ],
)
def test_an_output_that_is_not_as_the_schema_says_is_refused_with_its_path(
    outputs: dict[str, dict[str, Any]], path: tuple[str | int, ...], value: object
) -> None:
    at: Any = outputs["lab-east"]["inventory"]
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(MirrorforceError, match="outputs of stack lab-east") as refused:
        inventory.from_outputs(ESTATE, outputs)
    assert str(path[0]) in refused.value.message or "extra" in refused.value.message


def test_ansible_sees_every_host_in_its_groups_with_its_variables(outputs: dict[str, dict[str, Any]]) -> None:
    known = secrets.generate(ESTATE)
    found = inventory.ansible_document(ESTATE, inventory.from_outputs(ESTATE, outputs), known)
    hosts = placement.hosts(ESTATE)
    assert set(found["_meta"]["hostvars"]) == {host.name for host in hosts}
    assert "east-na1" in found["database"]["hosts"]
    assert "east-na1" in found["site_east"]["hosts"]
    assert "east-na1" in found["cell_na1"]["hosts"]
    assert set(found["all"]["children"]) == set(found) - {"all", "_meta"}
    wanted = role_variables.for_host(ESTATE, hosts, hosts[0], known)
    assert found["_meta"]["hostvars"][hosts[0].name] == wanted


def test_ssh_reads_the_configuration_as_it_is_meant(
    outputs: dict[str, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRRORFORCE_HOME", str(tmp_path))
    ws = Workspace("lab")
    inventory.write_access(ws, inventory.from_outputs(ESTATE, outputs), secrets.generate(ESTATE))
    read = subprocess.run(
        ["ssh", "-G", "-F", str(ws.ssh_config), "west-na2"], capture_output=True, text=True, check=True
    )
    lines = set(read.stdout.splitlines())
    assert {
        f"hostname {next(host.address for host in placement.hosts(ESTATE) if host.name == 'west-na2')}",
        "user mirrorforce",
        "stricthostkeychecking true",
        "hostkeyalias west-na2",
        "controlmaster auto",
        "batchmode yes",
        "proxycommand nc %h %p",
        f"identityfile {ws.access}/id_ed25519",
        f"controlpath {ws.access}/control/west-na2",
    } <= lines
    for path in (ws.access, *ws.access.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert f"west-na2 {KEY}" in (ws.access / "known_hosts").read_text().splitlines()


def test_names_of_stacks_are_read_as_they_are_written() -> None:
    for name in (*site_stacks(ESTATE), interconnect_stack(ESTATE), StackName("lab", "east-coast-2")):
        assert parse(str(name)) == name


def test_a_volume_with_a_device_is_the_hosts_to_mount(outputs: dict[str, dict[str, Any]]) -> None:
    device = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123"
    east = outputs["lab-east"]["inventory"]["hosts"]
    (host,) = (each for each in east if each["name"] == "east-na1")
    host["volumes"][0]["device"] = device
    found = inventory.from_outputs(ESTATE, outputs)
    known = secrets.generate(ESTATE)
    variables = inventory.ansible_document(ESTATE, found, known)["_meta"]["hostvars"]
    assert variables["east-na1"]["volumes_attached"] == [
        {"name": "data", "mount": "/srv/postgres/data", "device": device}
    ]
    assert "volumes_attached" not in variables["east-na2"]


@pytest.mark.parametrize("device", ["", "sdf", "/dev/x y", "/dev/x;reboot"])
def test_a_device_that_is_none_is_refused(outputs: dict[str, dict[str, Any]], device: str) -> None:
    host = next(each for each in outputs["lab-east"]["inventory"]["hosts"] if each["volumes"])
    host["volumes"][0]["device"] = device
    with pytest.raises(MirrorforceError, match="volumes"):
        inventory.from_outputs(ESTATE, outputs)
