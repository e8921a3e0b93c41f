"""Everything says by its tags what it belongs to, who answers for it and who pays for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .encryption import INSTANCE, VOLUME
from .model import UNKNOWN, Resource, Rule, Setting, Settings, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

TAGS = Setting(
    "The tags that everything has.",
    {"type": "array", "items": {"type": "string"}, "minItems": 1},
    ["estate", "site", "owner", "cost-centre"],
)

TAGGED = frozenset(
    {
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "aws:ebs/snapshot:Snapshot",
        "aws:ebs/snapshotCopy:SnapshotCopy",
        "aws:ebs/volume:Volume",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "aws:ec2/eip:Eip",
        "aws:ec2/flowLog:FlowLog",
        "aws:ec2/instance:Instance",
        "aws:ec2/internetGateway:InternetGateway",
        "aws:ec2/keyPair:KeyPair",
        "aws:ec2/launchTemplate:LaunchTemplate",
        "aws:ec2/natGateway:NatGateway",
        "aws:ec2/networkInterface:NetworkInterface",
        "aws:ec2/placementGroup:PlacementGroup",
        "aws:ec2/routeTable:RouteTable",
        "aws:ec2/securityGroup:SecurityGroup",
        "aws:ec2/subnet:Subnet",
        "aws:ec2/vpc:Vpc",
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
        "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",
        "aws:ec2transitgateway/peeringAttachment:PeeringAttachment",
        "aws:ec2transitgateway/peeringAttachmentAccepter:PeeringAttachmentAccepter",
        "aws:ec2transitgateway/transitGateway:TransitGateway",
        "aws:ec2transitgateway/vpcAttachment:VpcAttachment",
        "aws:iam/instanceProfile:InstanceProfile",
        "aws:iam/openIdConnectProvider:OpenIdConnectProvider",
        "aws:iam/policy:Policy",
        "aws:iam/role:Role",
        "aws:kms/key:Key",
        "aws:route53/healthCheck:HealthCheck",
        "aws:route53/resolverEndpoint:ResolverEndpoint",
        "aws:route53/resolverRule:ResolverRule",
        "aws:route53/zone:Zone",
        "aws:s3/bucket:Bucket",
        "aws:sns/topic:Topic",
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    }
)
"""Types that bear tags. A test holds both tables against the provider's SDK."""

UNTAGGED = frozenset(
    {
        "aws:ec2/eipAssociation:EipAssociation",
        "aws:ec2/route:Route",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "aws:ec2/securityGroupRule:SecurityGroupRule",
        "aws:ec2/volumeAttachment:VolumeAttachment",
        "aws:ec2/vpcEndpointRouteTableAssociation:VpcEndpointRouteTableAssociation",
        "aws:ec2transitgateway/route:Route",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:kms/alias:Alias",
        "aws:route53/record:Record",
        "aws:route53/resolverRuleAssociation:ResolverRuleAssociation",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:sns/topicSubscription:TopicSubscription",
    }
)
"""Types that cannot bear any."""


def tags(resource: Resource, settings: Settings) -> Iterator[Violation]:
    """Everything that can bear tags bears these; hosts and volumes say their role and cell, too."""
    if not resource.type.startswith("aws:") or resource.type in UNTAGGED:
        return
    if resource.type not in TAGGED:
        yield Violation(
            f"the type {resource.type}, of which this pack does not know whether it bears tags",
            "the types in policy/guard_rails/tags.py",
            "add it there to TAGGED or UNTAGGED, and look whether another rule should know it",
        )
        return
    if resource.get("tags") is UNKNOWN:
        return
    yield from _missing("tags", resource.tags, settings["tags"])
    if resource.type in {INSTANCE, VOLUME}:
        wanted = ("role", "cell") if resource.tags.get("role") == "database" else ("role",)
        yield from _missing("tags", resource.tags, wanted)
    root = resource.get("rootBlockDevice", "tags")
    if resource.type == INSTANCE and root is not UNKNOWN:
        yield from _missing("rootBlockDevice.tags", root or {}, settings["tags"])


def _missing(
    where: str, found: dict[str, object], wanted: tuple[str, ...] | list[str]
) -> Iterator[Violation]:
    missing = [tag for tag in wanted if found.get(tag) in (None, "")]
    if missing:
        yield Violation(
            f"{where} without {', '.join(missing)}",
            f"{', '.join(wanted)}, each with a value",
            "take the tags of its site's scope (mirrorforce/sites/aws_scope.py)",
        )


RULES = (Rule("everything-bears-its-tags", "Everything says whose it is by its tags.", tags, {"tags": TAGS}),)
