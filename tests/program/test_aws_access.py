"""Who may speak to whom on AWS, the first boot, and the inventory."""

from __future__ import annotations

import json
import re
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

import yaml
from jsonschema import Draft202012Validator

from mirrorforce import flows, inventory, placement, secrets, security_groups
from mirrorforce.sites import aws_firewall
from mirrorforce.workspace import ROOT
from tests.program_aws import HOST_KEY, build
from tests.program_engine import PUBLIC_KEY

if TYPE_CHECKING:
    from tests.program_engine import Run
from tests.aws_runs import ESTATE, HOSTS, SITE_STACKS, WARNINGS, hosts_of, lets, outputs_of, site_of

pytestmark = WARNINGS


def test_security_groups_let_through_what_the_table_of_flows_says_and_nothing_else(
    runs: dict[str, Run],
) -> None:
    groups = {
        host.name: runs[f"aws-{host.site}"].one(
            "SecurityGroup", f"aws-{host.site}-{security_groups.group_key(host)}"
        )
        for host in HOSTS
    }
    services = {(flow.protocol, flow.port) for flow in flows.FLOWS} | {("tcp", 8080), ("udp", 123)}
    for target in HOSTS:
        rules = flows.rules_for(ESTATE, HOSTS, target)
        for source in HOSTS:
            if source == target:
                continue
            for protocol, port in services:
                allowed = any(
                    (rule.protocol, rule.port) == (protocol, port)
                    and any(source.address in IPv4Network(peer) for peer in rule.sources)
                    for rule in rules
                )
                where = (source.name, target.name, protocol, port)
                assert lets(groups[target.name], "ingress", source.address, protocol, port) == allowed, where
                assert lets(groups[source.name], "egress", target.address, protocol, port) == allowed, where


def test_a_host_is_in_the_group_of_its_role_and_cell_alone(runs: dict[str, Run]) -> None:
    for stack in SITE_STACKS:
        for host in hosts_of(stack):
            groups = runs[stack].one("Instance", host.name).inputs["vpcSecurityGroupIds"]
            assert groups == [f"{stack}-{security_groups.group_key(host)}-id"]


def test_nothing_is_open_to_the_world_and_the_default_group_is_closed(runs: dict[str, Run]) -> None:
    estate = [site.cidr for site in ESTATE.sites]
    for run in runs.values():
        for group in [*run.of_type("SecurityGroup"), *run.of_type("DefaultSecurityGroup")]:
            for rule in group.inputs["ingress"]:
                for cidr in rule["cidrBlocks"]:
                    assert any(IPv4Network(cidr).subnet_of(site) for site in estate), (group.name, cidr)
            for rule in group.inputs["egress"]:
                world = "0.0.0.0/0" in rule.get("cidrBlocks", [])
                assert not world or rule["fromPort"] in aws_firewall.PACKAGE_PORTS
    for stack in SITE_STACKS:
        (closed,) = runs[stack].of_type("DefaultSecurityGroup")
        assert closed.inputs["ingress"] == closed.inputs["egress"] == []


def test_texts_of_security_groups_have_only_what_aws_takes(runs: dict[str, Run]) -> None:
    for run in runs.values():
        for group in run.of_type("SecurityGroup"):
            rules = [*group.inputs["ingress"], *group.inputs["egress"]]
            for text in [group.inputs["description"], *(rule["description"] for rule in rules)]:
                assert re.fullmatch(r"[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,255}", text), text


def test_ssh_comes_in_by_the_endpoint_alone_whose_network_hosts_know(runs: dict[str, Run]) -> None:
    for stack in SITE_STACKS:
        site, run = site_of(stack), runs[stack]
        (endpoint,) = run.of_type("InstanceConnectEndpoint")
        assert endpoint.inputs["preserveClientIp"] is False
        subnet = run.one("Subnet", f"{stack}-access")
        assert endpoint.inputs["subnetId"] == f"{subnet.name}-id"
        assert subnet.inputs["cidrBlock"] == str(placement.access_network(site))
        for host in hosts_of(stack):
            group = run.one("SecurityGroup", f"{stack}-{security_groups.group_key(host)}")
            (ssh,) = (rule for rule in group.inputs["ingress"] if rule["fromPort"] == 22)
            assert ssh["cidrBlocks"] == [subnet.inputs["cidrBlock"]]


def test_the_first_boot_makes_a_host_reachable_and_does_nothing_else(runs: dict[str, Run]) -> None:
    text = runs["aws-east"].one("Instance", "east-na1").inputs["userData"]
    assert text.startswith("#cloud-config\n")
    document = yaml.safe_load(text)
    assert set(document) == {
        "hostname",
        "fqdn",
        "manage_etc_hosts",
        "users",
        "disable_root",
        "ssh_pwauth",
        "ssh_deletekeys",
        "ssh_genkeytypes",
        "ssh",
    }
    (admin,) = document["users"]
    assert admin["name"] == "mirrorforce"
    assert admin["ssh_authorized_keys"] == [PUBLIC_KEY]
    assert document["fqdn"] == "east-na1.db.example.com"


def test_a_hosts_key_is_read_from_its_own_console(runs: dict[str, Run]) -> None:
    for stack in SITE_STACKS:
        on_aws = site_of(stack).aws
        assert on_aws is not None
        for host in hosts_of(stack):
            key = runs[stack].one("HostKey", f"{host.name}-host-key")
            assert key.inputs["instance_id"] == f"{host.name}-id"
            assert key.inputs["region"] == on_aws.region
            assert key.depends_on == {host.name}


def test_outputs_are_valid_against_the_schema_and_make_one_inventory(runs: dict[str, Run]) -> None:
    validator = Draft202012Validator(json.loads((ROOT / "schemas" / "inventory.schema.json").read_text()))
    for stack, run in runs.items():
        (document,) = run.outputs[f"mirrorforce-{stack}"].values()
        assert not [error.message for error in validator.iter_errors(document)]
    found = inventory.from_outputs(ESTATE, outputs_of(runs))
    assert [host.name for host in found.hosts] == [host.name for host in HOSTS]
    assert {host.host_key for host in found.hosts} == {HOST_KEY}
    assert found.host("east-na1").proxy_command == (
        "aws ec2-instance-connect open-tunnel --region us-east-1 --instance-id east-na1-id "
        "--instance-connect-endpoint-id aws-east-access-id --remote-port %p"
    )


def test_the_inventory_says_by_which_device_a_host_finds_each_volume(runs: dict[str, Run]) -> None:
    hosts = runs["aws-east"].outputs["mirrorforce-aws-east"]["inventory"]["hosts"]
    (volumes,) = (host["volumes"] for host in hosts if host["name"] == "east-na1")
    assert volumes == [
        {
            "name": name,
            "mount": f"/srv/postgres/{name}",
            "device": f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_eastna1{name}id",
        }
        for name in ("data", "wal")
    ]


def test_the_estates_secrets_reach_no_resource_and_no_output(runs: dict[str, Run]) -> None:
    known = secrets.generate(ESTATE)
    config = {"mirrorforce:secrets": secrets.to_json(known)}
    words = [known.ca_key, known.ssh_private_key, known.etcd_root_password, known.etcd_watcher_password]
    words += [getattr(cell, name) for cell in known.cells.values() for name in cell.__slots__]
    for stack in ("aws-east", "aws-interconnect"):
        run = build(stack, up=outputs_of({each: runs[each] for each in SITE_STACKS}), secrets=config)
        told = json.dumps([[each.inputs for each in run.resources], run.outputs])
        assert not [word for word in words if json.dumps(word)[1:-1] in told]
