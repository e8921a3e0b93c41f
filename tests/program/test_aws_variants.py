"""What a preview shows before anything is up, and what the estate file may say otherwise."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pulumi
import pytest

from tests.estate_files import put
from tests.program_aws import ACCOUNT, Aws, build
from tests.program_engine import unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.program_engine import Run
from tests.aws_runs import WARNINGS, lets, outputs_of

pytestmark = WARNINGS


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
