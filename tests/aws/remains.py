"""What is in an account: everything that somebody would pay for, or stumble over.

Interfaces are not looked at: AWS removes those of hosts and gateways with them, and moto leaves them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.aws.cloud import Cloud

    Ids = Callable[[dict[str, Any]], Iterable[str]]


def _each(key: str, name: str, gone: str = "") -> Ids:
    """The ids in a list of an answer, less those that are no more, says the path `gone`."""

    def ids(answer: dict[str, Any]) -> Iterable[str]:
        for item in answer[key]:
            state: Any = item
            for step in gone.split(".") if gone else []:
                state = state[step]
            if not gone or state not in {"deleted", "terminated", "PendingDeletion"}:
                yield item[name]

    return ids


def _instances(answer: dict[str, Any]) -> Iterable[str]:
    for reservation in answer["Reservations"]:
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] != "terminated":
                yield instance["InstanceId"]


def _named_keys(answer: dict[str, Any]) -> Iterable[str]:
    return [each["AliasName"] for each in answer["Aliases"] if "TargetKeyId" in each]


IN_A_REGION: tuple[tuple[str, str, Ids], ...] = (
    ("ec2", "describe_instances", _instances),
    ("ec2", "describe_volumes", _each("Volumes", "VolumeId")),
    ("ec2", "describe_vpcs", _each("Vpcs", "VpcId")),
    ("ec2", "describe_subnets", _each("Subnets", "SubnetId")),
    ("ec2", "describe_route_tables", _each("RouteTables", "RouteTableId")),
    ("ec2", "describe_security_groups", _each("SecurityGroups", "GroupId")),
    ("ec2", "describe_internet_gateways", _each("InternetGateways", "InternetGatewayId")),
    ("ec2", "describe_nat_gateways", _each("NatGateways", "NatGatewayId", "State")),
    ("ec2", "describe_addresses", _each("Addresses", "AllocationId")),
    ("ec2", "describe_vpc_endpoints", _each("VpcEndpoints", "VpcEndpointId", "State")),
    (
        "ec2",
        "describe_vpc_peering_connections",
        _each("VpcPeeringConnections", "VpcPeeringConnectionId", "Status.Code"),
    ),
    ("ec2", "describe_flow_logs", _each("FlowLogs", "FlowLogId")),
    ("logs", "describe_log_groups", _each("logGroups", "logGroupName")),
    ("kms", "list_aliases", _named_keys),
    ("cloudwatch", "describe_alarms", _each("MetricAlarms", "AlarmName")),
    ("sns", "list_topics", _each("Topics", "TopicArn")),
    ("sns", "list_subscriptions", _each("Subscriptions", "SubscriptionArn")),
    ("route53resolver", "list_resolver_endpoints", _each("ResolverEndpoints", "Id")),
    ("route53resolver", "list_resolver_rules", _each("ResolverRules", "Id")),
    ("route53resolver", "list_resolver_rule_associations", _each("ResolverRuleAssociations", "Id")),
)
WORLDWIDE: tuple[tuple[str, str, Ids], ...] = (
    ("iam", "list_roles", _each("Roles", "RoleName")),
    ("iam", "list_instance_profiles", _each("InstanceProfiles", "InstanceProfileName")),
    ("route53", "list_health_checks", _each("HealthChecks", "Id")),
)


def everything(cloud: Cloud, regions: Iterable[str]) -> set[tuple[str, str, str]]:
    """Region, kind and id of all that there is. Keys that are being deleted are none."""
    found = {
        ("", ask, name)
        for service, ask, ids in WORLDWIDE
        for name in ids(getattr(cloud.client(service), ask)())
    }
    for region in regions:
        for service, ask, ids in IN_A_REGION:
            answer = getattr(cloud.client(service, region), ask)()
            found |= {(region, ask, name) for name in ids(answer)}
        found |= {(region, "list_keys", key) for key in _living_keys(cloud, region)}
    return found


def _living_keys(cloud: Cloud, region: str) -> Iterable[str]:
    kms = cloud.client("kms", region)
    for key in kms.list_keys()["Keys"]:
        described = kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        if described["KeyState"] != "PendingDeletion":
            yield key["KeyId"]
