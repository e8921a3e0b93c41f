"""A site on AWS, as `pulumi up` runs the program for it, with the engine and AWS played by mocks."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from mirrorforce import placement
from tests.estate_files import put
from tests.program_aws import ACCOUNT, build

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.program_engine import Run
from tests.aws_runs import ESTATE, SITE_STACKS, UNTAGGED, WARNINGS, hosts_of, of_aws, site_of

pytestmark = WARNINGS


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
