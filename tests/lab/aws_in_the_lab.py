"""The AWS estate's inventory, with the lab's hosts in the place of its instances.

The documents are what the program gives for `stacks/aws.yaml`. Of each host they keep name, site, role, cell
and volumes; from the lab they take its address, its key and the way there. A lab host's volumes are mounted
when it boots, so the devices of EBS, which a role mounts, are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from mirrorforce import estate_file
from mirrorforce.workspace import Workspace
from tests import program_aws

if TYPE_CHECKING:
    from pathlib import Path

    from mirrorforce.estate import Estate
    from mirrorforce.inventory import Inventory, InventoryHost

ENV = "aws"


def outputs(lab: Inventory) -> dict[str, dict[str, Any]]:
    """The outputs of the AWS estate's stacks, under the names of the lab's, with the lab's hosts."""
    estate = estate_file.load(Workspace(ENV).estate_file)
    sites = [f"{ENV}-{site.name}" for site in estate.sites]
    found = {stack: program_aws.build(stack).outputs[f"mirrorforce-{stack}"] for stack in sites}
    joined = f"{ENV}-interconnect"
    found[joined] = program_aws.build(joined, up=found).outputs[f"mirrorforce-{joined}"]
    for stack in sites:
        for entry in found[stack]["inventory"]["hosts"]:
            entry.update(_of_lab(lab.host(entry["name"])))
            for volume in entry["volumes"]:
                volume.pop("device", None)
    return {f"{lab.estate}{stack.removeprefix(ENV)}": output for stack, output in found.items()}


def estate(folder: Path, lab: Inventory, declared: dict[str, Any]) -> Estate:
    """The AWS estate, its instances replaced by the lab's hosts: machines that exist already.

    Of the lab's own file (`declared`) it takes what differs between the two: names, networks, round trips,
    sizes of volumes.
    """
    document = yaml.safe_load(Workspace(ENV).estate_file.read_text(encoding="utf-8"))
    document.pop("aws")
    document |= {key: declared[key] for key in ("estate", "domain", "links")}
    for name, cell in document["cells"].items():
        cell["volumes"] = declared["cells"][name]["volumes"]
    for name, site in document["sites"].items():
        site.pop("aws")
        cidr = declared["sites"][name]["cidr"]
        gateway = cidr.replace(".0/24", ".1/32")
        site |= {"platform": "static", "cidr": cidr, "static": _static(lab, name, gateway)}
    path = folder / f"{declared['estate']}.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return estate_file.load(path)


def _static(lab: Inventory, site: str, gateway: str) -> dict[str, Any]:
    own = lab.of_site(site)
    return {
        "controllers": [gateway],
        "own_kernel": False,
        "ssh": {"user": own[0].user, "proxy_command": own[0].proxy_command},
        "hosts": {host.name: {"address": str(host.address), "host_key": host.host_key} for host in own},
    }


def _of_lab(host: InventoryHost) -> dict[str, Any]:
    way = {"user": host.user, "proxy_command": host.proxy_command}
    return {"address": str(host.address), "host_key": host.host_key, "ssh": way}
