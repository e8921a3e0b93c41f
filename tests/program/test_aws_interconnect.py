"""What joins sites on AWS."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from mirrorforce import flows, placement
from tests.estate_files import put
from tests.program_aws import build

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.program_engine import Run
from tests.aws_runs import ESTATE, HOSTS, MIRRORED, SITE_STACKS, SITES, WARNINGS, hosts_of, outputs_of

pytestmark = WARNINGS


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
