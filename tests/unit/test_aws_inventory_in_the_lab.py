"""What tests/lab/test_static_site.py leads Ansible with: the AWS estate's documents, led to a lab's hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mirrorforce import estate_file, inventory, placement, role_variables, secrets
from mirrorforce.inventory import Inventory, InventoryHost
from tests.estate_files import LAB
from tests.lab import aws_in_the_lab
from tests.static_files import host_key

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

LAB_ESTATE = estate_file.load(LAB)
DECLARED: dict[str, Any] = yaml.safe_load(LAB.read_text())


def lab_inventory() -> Inventory:
    hosts = (
        InventoryHost(
            host.name,
            host.site,
            host.role,
            host.cell,
            host.address,
            host_key(host.name),
            "mirrorforce",
            f"nsenter --net=/run/netns/mf-lab-{host.site} nc %h %p",
            (),
        )
        for host in placement.hosts(LAB_ESTATE)
    )
    return Inventory("lab", tuple(hosts))


def test_the_aws_estate_has_the_labs_shape_and_its_hosts_the_labs_addresses(tmp_path: Path) -> None:
    lab = lab_inventory()
    on_aws = aws_in_the_lab.estate(tmp_path, lab, DECLARED)
    found = inventory.from_outputs(on_aws, aws_in_the_lab.outputs(lab))
    assert {host.name: host.address for host in found.hosts} == {
        host.name: host.address for host in lab.hosts
    }
    assert [host.name for host in placement.hosts(on_aws)] == [host.name for host in found.hosts]
    assert {host.name: inventory.groups_of(host) for host in found.hosts} == {
        host.name: inventory.groups_of(host) for host in lab.hosts
    }


def test_roles_are_told_the_same_whatever_the_platform(tmp_path: Path) -> None:
    """So check mode over converged lab hosts has nothing to change."""
    lab = lab_inventory()
    on_aws = aws_in_the_lab.estate(tmp_path, lab, DECLARED)
    known = secrets.generate(LAB_ESTATE)
    of_aws, of_lab = (
        {
            host.name: role_variables.for_host(each, placement.hosts(each), host, known)
            for host in placement.hosts(each)
        }
        for each in (on_aws, LAB_ESTATE)
    )
    for name, variables in of_aws.items():
        assert variables.pop("base_admin") == "mirrorforce"  # which is the role's default
        assert variables == of_lab[name], name


def test_a_device_of_ebs_does_not_follow_into_the_lab() -> None:
    found = aws_in_the_lab.outputs(lab_inventory())
    hosts = [
        inventory.host_of(entry)
        for each in found.values()
        if "inventory" in each
        for entry in each["inventory"]["hosts"]
    ]
    assert any(host.volumes for host in hosts)
    assert not any(volume.device for host in hosts for volume in host.volumes)
    assert hosts == [replace(host, port=22) for host in hosts]
