"""The program on AWS, as `pulumi up` runs it for each stack, with the engine and AWS played by mocks."""

from __future__ import annotations

import json
import re
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
import yaml
from jsonschema import Draft202012Validator

from mirrorforce import estate_file, flows, inventory, placement, secrets, security_groups
from mirrorforce.sites import aws_firewall
from mirrorforce.workspace import ROOT, Workspace
from tests.estate_files import put
from tests.program_aws import ACCOUNT, HOST_KEY, Aws, build
from tests.program_engine import PUBLIC_KEY, Run, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mirrorforce.estate import Host, Site
    from tests.program_engine import Registered

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed event loop:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    # The SDK warns of its own old names while it is imported.
    pytest.mark.filterwarnings("ignore:aws[.]ec2/:DeprecationWarning"),
]

FILE = ROOT / "stacks" / "aws.yaml"
ESTATE = estate_file.load(FILE)
HOSTS = placement.hosts(ESTATE)
SITES = [site.name for site in ESTATE.sites]
MIRRORED = [site.name for site in ESTATE.mirrored_sites]
SITE_STACKS = [f"aws-{site}" for site in SITES]
UNTAGGED = {
    "Route",
    "RouteTableAssociation",
    "VolumeAttachment",
    "RolePolicy",
    "Alias",
    "ResolverRuleAssociation",
    "TopicSubscription",
}
"""Types that AWS has no tags for, in the words of the provider."""


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    """Every stack of the estate, the interconnect over the sites' outputs."""
    built = {stack: build(stack) for stack in SITE_STACKS}
    built["aws-interconnect"] = build("aws-interconnect", up=outputs_of(built))
    return built


@pytest.fixture(scope="module")
def previews() -> dict[str, Run]:
    """Every stack before anything is up."""
    return {stack: build(stack, preview=True) for stack in [*SITE_STACKS, "aws-interconnect"]}


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the program read an estate file with these changes."""

    def change(*changes: Callable[[dict[str, Any]], object]) -> None:
        document = yaml.safe_load(FILE.read_text())
        for each in changes:
            each(document)
        (tmp_path / "aws.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        monkeypatch.setattr(Workspace, "estate_file", property(lambda ws: tmp_path / f"{ws.env}.yaml"))

    return change


def outputs_of(built: Mapping[str, Run]) -> dict[str, dict[str, Any]]:
    return {stack: run.outputs[f"mirrorforce-{stack}"] for stack, run in built.items()}


def site_of(stack: str) -> Site:
    return ESTATE.site(stack.removeprefix("aws-"))


def of_aws(run: Run) -> list[Registered]:
    return [each for each in run.resources if each.type.startswith("aws:")]


def hosts_of(stack: str) -> list[Host]:
    return [host for host in HOSTS if host.site == site_of(stack).name]


# A site


def test_each_region_is_reached_through_one_explicit_provider_and_no_resource_names_a_region(
    runs: dict[str, Run],
) -> None:
    for stack in SITE_STACKS:
        on_aws = site_of(stack).aws
        assert on_aws is not None
        assert runs[stack].names("pulumi:providers:aws") == [on_aws.region]
    regions = {site.aws.region for site in ESTATE.sites if site.aws}
    assert set(runs["aws-interconnect"].names("pulumi:providers:aws")) == regions
    for run in runs.values():
        providers = set(run.names("pulumi:providers:aws"))
        for each in of_aws(run):
            assert each.provider in providers, each.name
            assert "region" not in each.inputs, each.name


def test_everything_hangs_below_the_one_component(runs: dict[str, Run]) -> None:
    for stack, run in runs.items():
        kind = "Interconnect" if stack.endswith("interconnect") else "Site"
        assert run.names(f"mirrorforce:site:{kind}") == [stack]
        below = [
            each for each in run.resources if not each.type.startswith(("mirrorforce:", "pulumi:pulumi:"))
        ]
        assert {each.parent for each in below} == {stack}


def test_names_of_one_type_stand_once(runs: dict[str, Run]) -> None:
    for run in runs.values():
        named = [(each.type, each.name) for each in run.resources]
        assert len(named) == len(set(named))


def test_everything_that_can_bear_tags_says_whose_it_is(runs: dict[str, Run]) -> None:
    for stack, run in runs.items():
        site = stack.removeprefix("aws-")
        for each in of_aws(run):
            if each.kind in UNTAGGED:
                continue
            found = each.tags
            assert (
                found.items()
                >= {
                    "estate": "aws",
                    "site": site,
                    "owner": "database-team",
                    "cost-centre": "databases",
                }.items()
            ), each.name
            assert found["Name"], each.name


def test_hosts_and_what_belongs_to_them_say_role_and_cell(runs: dict[str, Run]) -> None:
    for stack in SITE_STACKS:
        for host in hosts_of(stack):
            wanted = {"role": host.role, **({"cell": host.cell} if host.cell else {})}
            instance = runs[stack].one("Instance", host.name)
            named = [instance.tags, instance.inputs["rootBlockDevice"]["tags"]]
            named += [runs[stack].one("Volume", f"{host.name}-{each.name}").tags for each in host.volumes]
            for tags in named:
                assert tags.items() >= wanted.items()
                assert ("cell" in tags) == bool(host.cell)


def test_the_network_is_the_estates_with_a_subnet_in_each_zone_and_no_public_address(
    runs: dict[str, Run],
) -> None:
    for stack in SITE_STACKS:
        site, run = site_of(stack), runs[stack]
        assert site.aws is not None
        (vpc,) = run.of_type("Vpc")
        assert vpc.inputs["cidrBlock"] == str(site.cidr)
        for zone, letter in enumerate(site.aws.zones):
            subnet = run.one("Subnet", f"{stack}-hosts-{letter}")
            assert subnet.inputs["availabilityZone"] == f"{site.aws.region}{letter}"
            assert subnet.inputs["cidrBlock"] == str(placement.zone_network(site, zone))
        assert not any(each.inputs.get("mapPublicIpOnLaunch") for each in run.of_type("Subnet"))
        networks = [IPv4Network(each.inputs["cidrBlock"]) for each in run.of_type("Subnet")]
        assert all(network.subnet_of(site.cidr) for network in networks)
        assert not any(a.overlaps(b) for a in networks for b in networks if a != b)


def test_hosts_stand_where_placement_says(runs: dict[str, Run]) -> None:
    for stack in SITE_STACKS:
        run = runs[stack]
        assert sorted(run.names("Instance")) == sorted(host.name for host in hosts_of(stack))
        for host in hosts_of(stack):
            on_aws = site_of(stack).aws
            assert on_aws is not None
            instance = run.one("Instance", host.name)
            assert instance.inputs["privateIp"] == str(host.address)
            assert instance.inputs["subnetId"] == f"{stack}-hosts-{on_aws.zones[host.zone]}-id"
            assert instance.inputs["associatePublicIpAddress"] is False
            assert instance.inputs["instanceType"] == on_aws.instance_types[host.role]


def test_what_holds_data_is_protected_and_nothing_else(runs: dict[str, Run]) -> None:
    for stack, run in runs.items():
        wanted = set()
        if stack in SITE_STACKS:
            wanted = {("Key", f"{stack}-key")}
            for host in hosts_of(stack):
                if host.role != "application":
                    wanted.add(("Instance", host.name))
                wanted |= {("Volume", f"{host.name}-{volume.name}") for volume in host.volumes}
        assert {(each.kind, each.name) for each in run.resources if each.protect} == wanted


def test_instances_that_hold_data_cannot_be_terminated_by_a_slip(runs: dict[str, Run]) -> None:
    for stack in SITE_STACKS:
        for host in hosts_of(stack):
            inputs = runs[stack].one("Instance", host.name).inputs
            assert inputs["disableApiTermination"] == (host.role != "application")
            assert inputs["instanceInitiatedShutdownBehavior"] == "stop"


def test_metadata_asks_for_a_token_and_answers_the_host_alone(runs: dict[str, Run]) -> None:
    for stack in SITE_STACKS:
        for instance in runs[stack].of_type("Instance"):
            assert instance.inputs["metadataOptions"] == {
                "httpEndpoint": "enabled",
                "httpTokens": "required",
                "httpPutResponseHopLimit": 1,
                "instanceMetadataTags": "disabled",
            }


def test_every_volume_is_encrypted_with_the_sites_own_key(runs: dict[str, Run]) -> None:
    for stack in SITE_STACKS:
        run = runs[stack]
        key = f"arn:aws:kms/key:::{stack}-key"
        (made,) = run.of_type("Key")
        assert made.inputs["enableKeyRotation"] is True
        for volume in run.of_type("Volume"):
            assert volume.inputs["encrypted"] is True
            assert volume.inputs["kmsKeyId"] == key
        for instance in run.of_type("Instance"):
            assert instance.inputs["rootBlockDevice"]["encrypted"] is True
            assert instance.inputs["rootBlockDevice"]["kmsKeyId"] == key
        (logs,) = run.of_type("LogGroup")
        assert logs.inputs["kmsKeyId"] == key


def test_data_volumes_are_what_the_file_says_apart_from_the_root(runs: dict[str, Run]) -> None:
    data = runs["aws-east"].one("Volume", "east-na1-data").inputs
    assert (data["type"], data["size"], data["iops"], data["throughput"]) == ("gp3", 100, 6000, 250)
    assert data["availabilityZone"] == "us-east-1a"
    assert data["finalSnapshot"] is True
    wal = runs["aws-east"].one("Volume", "east-na1-wal").inputs
    assert (wal["size"], wal["iops"], wal["throughput"]) == (32, 3000, 125)
    attached = runs["aws-east"].one("VolumeAttachment", "east-na1-data-attachment")
    assert attached.depends_on == {"east-na1", "east-na1-data"}
    assert attached.inputs["stopInstanceBeforeDetaching"] is True
    devices = [each.inputs["deviceName"] for each in runs["aws-east"].of_type("VolumeAttachment")]
    assert sorted(devices) == ["/dev/sdf", "/dev/sdf", "/dev/sdg", "/dev/sdg"]


def test_a_volume_does_not_depend_on_its_host_so_that_it_outlives_it(runs: dict[str, Run]) -> None:
    for stack in SITE_STACKS:
        for volume in runs[stack].of_type("Volume"):
            assert volume.depends_on == {f"{stack}-key"}


def test_a_host_keeps_its_image_and_its_first_words(runs: dict[str, Run]) -> None:
    for stack in SITE_STACKS:
        for instance in runs[stack].of_type("Instance"):
            assert instance.inputs["ami"] == "ami-newest"
            assert set(instance.ignores) == {"ami", "userData"}
            assert instance.delete_first


def test_the_image_is_the_publishers_for_the_architecture_of_the_instance_type(
    runs: dict[str, Run], changed: Callable[..., None]
) -> None:
    def asked(run: Run) -> list[tuple[str, str]]:
        looks = [inputs for token, inputs in run.calls if token.endswith("getAmiIds")]
        assert all(inputs["owners"] == ["136693071363"] for inputs in looks)
        filters = [{each["name"]: each["values"][0] for each in inputs["filters"]} for inputs in looks]
        return [(each["name"], each["architecture"]) for each in filters]

    assert asked(runs["aws-east"]) == [("debian-13-arm64-*", "arm64")]
    changed(put("sites", "east", "aws", "instance_types", value={"database": "r6i.large"}))
    assert asked(build("aws-east")) == [("debian-13-amd64-*", "x86_64"), ("debian-13-arm64-*", "arm64")]


def test_members_of_a_cell_stand_on_hardware_of_their_own_from_the_first_on(runs: dict[str, Run]) -> None:
    for stack in SITE_STACKS:
        cells = {host.cell for host in hosts_of(stack) if host.cell}
        groups = runs[stack].of_type("PlacementGroup")
        assert {each.tags["cell"] for each in groups} == cells
        assert {each.inputs["strategy"] for each in groups} <= {"spread"}
        for host in hosts_of(stack):
            wanted = f"{stack}-{host.cell}-apart" if host.cell else None
            assert runs[stack].one("Instance", host.name).inputs.get("placementGroup") == wanted


def test_hosts_may_ask_aws_for_nothing(runs: dict[str, Run]) -> None:
    for stack in SITE_STACKS:
        run = runs[stack]
        roles = {f"{stack}-{role}-host" for role in {host.role for host in hosts_of(stack)}}
        profiles = {each.inputs["role"] for each in run.of_type("InstanceProfile")}
        assert profiles == roles
        (policy,) = run.of_type("RolePolicy")
        assert policy.inputs["role"] == f"{stack}-flow-logs-writer-id"
        assert not any(each.inputs.get("managedPolicyArns") for each in run.of_type("Role"))


def test_every_role_is_bounded_where_the_estate_names_a_boundary(
    runs: dict[str, Run], changed: Callable[..., None]
) -> None:
    assert not any(each.inputs.get("permissionsBoundary") for each in runs["aws-east"].of_type("Role"))
    changed(put("aws", "permissions_boundary", value="mirrorforce/aws-boundary"))
    roles = build("aws-east").of_type("Role")
    assert len(roles) == 3
    wanted = f"arn:aws:iam::{ACCOUNT}:policy/mirrorforce/aws-boundary"
    assert {each.inputs["permissionsBoundary"] for each in roles} == {wanted}


# Who may speak to whom


def lets(group: Registered, direction: str, peer: IPv4Address, protocol: str, port: int | None) -> bool:
    return any(
        rule["protocol"] == protocol
        and rule["fromPort"] == (8 if port is None else port)
        and any(peer in IPv4Network(cidr) for cidr in rule.get("cidrBlocks", []))
        for rule in group.inputs[direction]
    )


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


# First boot and the inventory


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


# Before anything is up


def test_a_preview_shows_all_that_will_be_made_while_ids_are_unknown(
    runs: dict[str, Run], previews: dict[str, Run]
) -> None:
    for stack, run in runs.items():
        wanted = {(each.type, each.name, each.protect) for each in run.resources}
        assert {(each.type, each.name, each.protect) for each in previews[stack].resources} == wanted


def test_a_preview_passes_on_what_is_unknown_and_invents_nothing(previews: dict[str, Run]) -> None:
    east = previews["aws-east"]
    assert unknown(east.one("Subnet", "aws-east-hosts-a").inputs["vpcId"])
    assert unknown(east.one("VolumeAttachment", "east-na1-data-attachment").inputs["volumeId"])
    assert unknown(east.outputs["mirrorforce-aws-east"]["inventory"])
    joined = previews["aws-interconnect"]
    assert unknown(joined.one("VpcPeeringConnection", "east-west").inputs["vpcId"])
    assert unknown(joined.one("ec2/route:Route", "east-to-west").inputs["routeTableId"])
    assert joined.one("ec2/route:Route", "east-to-west").inputs["destinationCidrBlock"] == "10.42.0.0/20"


def test_an_interconnect_before_its_sites_is_refused_with_the_next_step(runs: dict[str, Run]) -> None:
    half = outputs_of({stack: runs[stack] for stack in ("aws-east", "aws-west", "aws-dev")})
    with pytest.raises(pulumi.RunError, match=r"(?s)site legacy is not up.*pulumi up -s aws-legacy"):
        build("aws-interconnect", up=half)


def test_a_zone_without_the_instance_type_is_named_with_those_that_have_it() -> None:
    class Without(Aws):
        lacking = frozenset({("t4g.small", "us-west-1a"), ("r6g.large", "us-west-1c")})

    with pytest.raises(pulumi.RunError) as caught:
        build("aws-legacy", answers=Without)
    text = str(caught.value)
    assert "sites.legacy.aws.zones: us-west-1a has no t4g.small; zones that have it: us-west-1b" in text
    assert "us-west-1c has no r6g.large" in text


def test_a_region_without_the_instance_type_is_named_with_the_field() -> None:
    class Without(Aws):
        lacking = frozenset(("r6g.large", f"us-west-1{letter}") for letter in "abcdef")
        offers = {"us-west-1": "abc"}  # noqa: RUF012 - as the class it replaces

    with pytest.raises(pulumi.RunError, match=r"sites\.legacy\.aws\.region: us-west-1 has no r6g\.large"):
        build("aws-legacy", answers=Without)


def test_an_image_that_nobody_publishes_is_named_with_the_field() -> None:
    class Without(Aws):
        images = ()

    with pytest.raises(pulumi.RunError, match=r"(?s)sites\.east: .*debian-13-arm64.*aws\.image"):
        build("aws-east", answers=Without)


# What the estate file may say otherwise


def test_a_nat_gateway_in_each_zone_has_a_route_table_of_its_own(changed: Callable[..., None]) -> None:
    changed(put("sites", "east", "aws", "egress", value="nat-per-zone"))
    run = build("aws-east")
    assert len(run.of_type("NatGateway")) == len(run.of_type("Eip")) == 3
    tables = {
        each.name: each.inputs["routeTableId"]
        for each in run.of_type("RouteTableAssociation")
        if "-hosts-" in each.name
    }
    assert len(set(tables.values())) == 3
    for name in run.names("NatGateway"):
        assert "aws-east-internet" in run.one("NatGateway", name).depends_on


def test_one_nat_gateway_is_the_only_way_out(runs: dict[str, Run]) -> None:
    run = runs["aws-east"]
    (gateway,) = run.names("NatGateway")
    assert run.one("ec2/route:Route", "aws-east-out-a").inputs["natGatewayId"] == f"{gateway}-id"
    public = {
        each.inputs["subnetId"]
        for each in run.of_type("RouteTableAssociation")
        if each.inputs["routeTableId"] == "aws-east-public-id"
    }
    assert public == {"aws-east-nat-a-id"}


def test_without_a_way_out_nothing_leads_to_the_internet(changed: Callable[..., None]) -> None:
    image = {"owner": "self", "name": "estate-{architecture}-*"}
    changed(put("aws", "image", value=image), put("sites", "east", "aws", "egress", value="none"))
    run = build("aws-east")
    for kind in ("InternetGateway", "NatGateway", "Eip", "ec2/route:Route"):
        assert not run.of_type(kind)
    for group in run.of_type("SecurityGroup"):
        assert not any("0.0.0.0/0" in rule.get("cidrBlocks", []) for rule in group.inputs["egress"])
    egress = run.one("SecurityGroup", "aws-east-control").inputs["egress"]
    assert {"pl-aws-east-s3"} in [set(rule.get("prefixListIds", [])) for rule in egress]


def test_what_an_emulator_lacks_can_be_left_out(changed: Callable[..., None]) -> None:
    for_emulator = {
        "access": "direct",
        "controllers": ["10.99.0.0/16"],
        "spread": False,
        "flow_log_days": 0,
        "final_snapshots": False,
    }
    changed(
        *(put("sites", "east", "aws", key, value=value) for key, value in for_emulator.items()),
        put("aws", "forwarders", value=False),
        put("aws", "alarms", value=False),
    )
    run = build("aws-east")
    for kind in ("InstanceConnectEndpoint", "PlacementGroup", "FlowLog", "LogGroup", "MetricAlarm", "Topic"):
        assert not run.of_type(kind)
    assert {each.inputs["finalSnapshot"] for each in run.of_type("Volume")} == {False}
    hosts = run.outputs["mirrorforce-aws-east"]["inventory"]["hosts"]
    assert {host["ssh"]["proxy_command"] for host in hosts} == {""}
    group = run.one("SecurityGroup", "aws-east-control")
    assert lets(group, "ingress", IPv4Address("10.99.1.2"), "tcp", 22)
    joined = build("aws-interconnect", preview=True)
    for kind in ("ResolverEndpoint", "ResolverRule", "MetricAlarm", "HealthCheck"):
        assert not joined.of_type(kind)


def test_an_account_that_is_named_is_the_only_one(changed: Callable[..., None]) -> None:
    assert not build("aws-east").one("pulumi:providers:aws", "us-east-1").inputs.get("allowedAccountIds")
    changed(put("aws", "account", value=ACCOUNT))
    provider = build("aws-east").one("pulumi:providers:aws", "us-east-1")
    assert json.loads(provider.inputs["allowedAccountIds"]) == [ACCOUNT]


# What joins the sites


def region_of(site: str) -> str:
    on_aws = ESTATE.site(site).aws
    assert on_aws is not None
    return on_aws.region


def test_each_link_is_asked_for_at_one_end_and_accepted_at_the_other(runs: dict[str, Run]) -> None:
    run = runs["aws-interconnect"]
    assert len(run.of_type("VpcPeeringConnection")) == len(ESTATE.links)
    for link in ESTATE.links:
        one, other = link.between
        asked = run.one("VpcPeeringConnection", f"{one}-{other}")
        assert asked.provider == region_of(one)
        assert asked.inputs["peerRegion"] == region_of(other)
        assert (asked.inputs["vpcId"], asked.inputs["peerVpcId"]) == (
            f"aws-{one}-network-id",
            f"aws-{other}-network-id",
        )
        accepted = run.one("VpcPeeringConnectionAccepter", f"{one}-{other}-accepted")
        assert accepted.provider == region_of(other)
        assert accepted.depends_on == {asked.name}


def test_routes_lead_both_ways_and_come_after_the_acceptance(runs: dict[str, Run]) -> None:
    run = runs["aws-interconnect"]
    for link in ESTATE.links:
        for here, there in (link.between, link.between[::-1]):
            route = run.one("ec2/route:Route", f"{here}-to-{there}")
            assert route.provider == region_of(here)
            assert route.inputs["routeTableId"] == f"aws-{here}-routes-a-id"
            assert route.inputs["destinationCidrBlock"] == str(ESTATE.site(there).cidr)
            name = "-".join(link.between)
            assert route.inputs["vpcPeeringConnectionId"] == f"{name}-id"
            assert f"{name}-accepted" in route.depends_on


def test_questions_for_the_domain_go_to_the_failover_dns_of_all_sites_from_each_network(
    runs: dict[str, Run],
) -> None:
    run = runs["aws-interconnect"]
    control = {str(host.address) for host in HOSTS if host.role == "control"}
    rules = {each.name: each for each in run.of_type("ResolverRule")}
    assert len(rules) == len({region_of(site) for site in SITES})
    for rule in rules.values():
        assert rule.inputs["domainName"] == ESTATE.domain
        assert rule.inputs["ruleType"] == "FORWARD"
        assert {target["ip"] for target in rule.inputs["targetIps"]} == control
    for site in SITES:
        follows = run.one("ResolverRuleAssociation", f"{site}-forwards")
        assert follows.provider == region_of(site)
        assert follows.inputs["vpcId"] == f"aws-{site}-network-id"
        assert follows.inputs["resolverRuleId"] == f"aws-interconnect-{region_of(site)}-domain-id"


def test_forwarders_have_the_addresses_that_the_failover_dns_lets_in(runs: dict[str, Run]) -> None:
    run = runs["aws-interconnect"]
    found = {
        address["ip"] for each in run.of_type("ResolverEndpoint") for address in each.inputs["ipAddresses"]
    }
    target = next(host for host in HOSTS if host.role == "control")
    let_in = {rule.name: rule.sources for rule in flows.rules_for(ESTATE, HOSTS, target)}
    assert found == {str(address) for address in placement.forwarders(ESTATE)}
    assert {IPv4Address(address) for address in found} <= set(let_in["dns-udp"]) & set(let_in["dns-tcp"])
    for endpoint in run.of_type("ResolverEndpoint"):
        assert endpoint.inputs["direction"] == "OUTBOUND"
        (group,) = endpoint.inputs["securityGroupIds"]
        rules = run.one("SecurityGroup", group.removesuffix("-id")).inputs
        assert rules["ingress"] == []
        assert {rule["fromPort"] for rule in rules["egress"]} == {53}


def test_transit_gateways_join_regions_and_every_pair_has_its_way(
    runs: dict[str, Run], changed: Callable[..., None]
) -> None:
    changed(put("aws", "interconnect", value="transit-gateway"))
    run = build("aws-interconnect", up=outputs_of({each: runs[each] for each in SITE_STACKS}))
    assert not run.of_type("VpcPeeringConnection")
    assert {each.provider for each in run.of_type("TransitGateway")} == {region_of(site) for site in SITES}
    assert len(run.of_type("VpcAttachment")) == len(SITES)
    assert len(run.of_type("PeeringAttachment")) == 3  # three regions, each with each
    for asked in run.of_type("PeeringAttachment"):
        accepted = run.one("PeeringAttachmentAccepter", f"{asked.name}-accepted")
        assert accepted.provider == asked.inputs["peerRegion"] != asked.provider
    hubs = {
        (each.provider, each.inputs["destinationCidrBlock"])
        for each in run.of_type("ec2transitgateway/route:Route")
    }
    assert len(hubs) == len(run.of_type("ec2transitgateway/route:Route"))
    for link in ESTATE.links:
        for here, there in (link.between, link.between[::-1]):
            route = run.one("ec2/route:Route", f"{here}-to-{there}")
            assert route.inputs["transitGatewayId"] == f"aws-interconnect-{region_of(here)}-id"
            crosses = region_of(here) != region_of(there)
            assert ((region_of(here), str(ESTATE.site(there).cidr)) in hubs) == crosses


def test_a_public_zone_delegates_the_domain_with_the_servers_addresses(
    runs: dict[str, Run], changed: Callable[..., None]
) -> None:
    assert not runs["aws-interconnect"].of_type("Record")
    changed(put("aws", "delegate_from", value="example.com"))
    run = build("aws-interconnect", preview=True)
    records = {(each.inputs["name"], each.inputs["type"]): each.inputs for each in run.of_type("Record")}
    servers = [f"ns-{site}.db.example.com" for site in MIRRORED]
    assert records["db.example.com", "NS"]["records"] == servers
    for server in servers:
        site = server.partition(".")[0].removeprefix("ns-")
        (address,) = records[server, "A"]["records"]
        assert IPv4Address(address) in ESTATE.site(site).cidr
    assert {each["zoneId"] for each in records.values()} == {"zone-of-example.com"}


def test_alarms_are_told_where_somebody_is_named_and_stand_in_any_case(
    runs: dict[str, Run], changed: Callable[..., None]
) -> None:
    quiet = runs["aws-east"].of_type("MetricAlarm")
    assert {each.inputs["dimensions"]["InstanceId"] for each in quiet} == {
        f"{host.name}-id" for host in hosts_of("aws-east")
    }
    assert not any(each.inputs.get("alarmActions") for each in quiet)
    changed(put("aws", "alarms_to", value="somebody@example.com"))
    told = build("aws-east")
    (topic,) = told.names("Topic")
    for alarm in told.of_type("MetricAlarm"):
        assert alarm.inputs["alarmActions"] == [f"arn:aws:sns/topic:::{topic}"]


def test_the_interconnect_watches_the_majority_of_voters_by_the_sites_alarms(runs: dict[str, Run]) -> None:
    run = runs["aws-interconnect"]
    alarms = {
        each.inputs["name"]: (each.provider)
        for stack in SITE_STACKS
        for each in runs[stack].of_type("MetricAlarm")
    }
    checks = [each for each in run.of_type("HealthCheck") if each.inputs["type"] == "CLOUDWATCH_METRIC"]
    assert len(checks) == len(MIRRORED)
    for check in checks:
        assert alarms[check.inputs["cloudwatchAlarmName"]] == check.inputs["cloudwatchAlarmRegion"]
    (together,) = (each for each in run.of_type("HealthCheck") if each.inputs["type"] == "CALCULATED")
    assert (
        together.inputs["childHealthThreshold"] == 3
    )  # of three: with one down, the next one stops failover
    alarm = run.one("MetricAlarm", "aws-interconnect-voters-at-risk")
    assert alarm.provider == "us-east-1"
    assert alarm.inputs["dimensions"] == {"HealthCheckId": f"{together.name}-id"}
