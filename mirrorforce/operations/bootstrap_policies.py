"""Who may do what with the state, and with the estate on AWS: documents of policies. Pure.

Which actions a preview and a deployment need is not guessed: tests/aws runs both and holds every call
that they make against these documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirrorforce.operations.bootstrap_names import AUDIENCE, GITHUB_ISSUER
from mirrorforce.workspace import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mirrorforce.operations.bootstrap_names import Footing

    Document = Mapping[str, Any]

STATE_OBJECTS = ".pulumi/*"
"""Where Pulumi keeps everything in a bucket."""

LOOKING = (
    "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource",
    "ec2:Describe*", "ec2:GetInstanceMetadataDefaults", "ec2:SearchTransitGatewayRoutes",
    "kms:ListAliases",
    "logs:DescribeLogGroups", "logs:ListTagsForResource",
    "route53:GetHealthCheck", "route53:GetHostedZone", "route53:ListHostedZones",
    "route53:ListHostedZonesByName", "route53:ListResourceRecordSets", "route53:ListTagsForResource",
    "route53resolver:GetResolver*", "route53resolver:ListResolver*", "route53resolver:ListTagsForResource",
    "sns:GetSubscriptionAttributes", "sns:GetTopicAttributes", "sns:ListTagsForResource",
    "sts:GetCallerIdentity",
)  # fmt: skip
"""Asks about things that have no secrets in them."""

LOOKING_AT_ROLES = (
    "iam:GetInstanceProfile", "iam:GetRole", "iam:GetRolePolicy", "iam:ListAttachedRolePolicies",
    "iam:ListInstanceProfilesForRole", "iam:ListInstanceProfileTags", "iam:ListRolePolicies",
    "iam:ListRoleTags",
)  # fmt: skip

LOOKING_AT_KEYS = (
    "kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListResourceTags",
)  # fmt: skip

MAKING = (
    "ec2:AcceptTransitGatewayPeeringAttachment", "ec2:AcceptVpcPeeringConnection", "ec2:AllocateAddress",
    "ec2:AssociateRouteTable", "ec2:AttachInternetGateway", "ec2:AuthorizeSecurityGroupEgress",
    "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateFlowLogs", "ec2:CreateInstanceConnectEndpoint",
    "ec2:CreateInternetGateway", "ec2:CreateNatGateway", "ec2:CreateNetworkInterface",
    "ec2:CreatePlacementGroup", "ec2:CreateRoute", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup",
    "ec2:CreateSnapshot", "ec2:CreateSubnet", "ec2:CreateTransitGateway",
    "ec2:CreateTransitGatewayPeeringAttachment", "ec2:CreateTransitGatewayRoute",
    "ec2:CreateTransitGatewayVpcAttachment", "ec2:CreateVolume", "ec2:CreateVpc", "ec2:CreateVpcEndpoint",
    "ec2:CreateVpcPeeringConnection", "ec2:RunInstances",
    # The default security group of a new network is closed before it has a tag; what AWS attaches for
    # others (a gateway's interface) never has one.
    "ec2:CreateTags", "ec2:DisassociateAddress", "ec2:RevokeSecurityGroupEgress",
    "ec2:RevokeSecurityGroupIngress",
    "ec2:GetConsoleOutput",
    "logs:CreateLogDelivery", "logs:DeleteLogDelivery",
    "route53resolver:AssociateResolverEndpointIpAddress", "route53resolver:AssociateResolverRule",
    "route53resolver:CreateResolverEndpoint", "route53resolver:CreateResolverRule",
    "route53resolver:DeleteResolverEndpoint", "route53resolver:DeleteResolverRule",
    "route53resolver:DisassociateResolverEndpointIpAddress", "route53resolver:DisassociateResolverRule",
    "route53resolver:TagResource", "route53resolver:UntagResource",
    "route53resolver:UpdateResolverEndpoint", "route53resolver:UpdateResolverRule",
)  # fmt: skip
"""What makes things, or changes what cannot have the estate's tag yet."""

CHANGING = (
    "ec2:AttachVolume", "ec2:DeleteFlowLogs", "ec2:DeleteInstanceConnectEndpoint",
    "ec2:DeleteInternetGateway", "ec2:DeleteNatGateway", "ec2:DeletePlacementGroup", "ec2:DeleteRoute",
    "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags",
    "ec2:DeleteTransitGateway", "ec2:DeleteTransitGatewayPeeringAttachment",
    "ec2:DeleteTransitGatewayRoute", "ec2:DeleteTransitGatewayVpcAttachment", "ec2:DeleteVolume",
    "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints", "ec2:DeleteVpcPeeringConnection",
    "ec2:DetachInternetGateway", "ec2:DetachVolume", "ec2:DisassociateRouteTable",
    "ec2:ModifyInstanceAttribute", "ec2:ModifyInstanceMetadataOptions", "ec2:ModifyNetworkInterfaceAttribute",
    "ec2:ModifySubnetAttribute", "ec2:ModifyVolume", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint",
    "ec2:ReleaseAddress", "ec2:ReplaceRoute", "ec2:StartInstances", "ec2:StopInstances",
    "ec2:TerminateInstances",
)  # fmt: skip
"""What changes or deletes things of EC2: only those with the estate's tag."""

CHANGING_KEYS = (
    "kms:DisableKeyRotation", "kms:EnableKeyRotation", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion",
    "kms:TagResource", "kms:UntagResource", "kms:UpdateKeyDescription",
)  # fmt: skip

USING_KEYS = (
    "kms:Decrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo",
)  # fmt: skip

HEALTH_CHECKS = (
    "route53:ChangeTagsForResource", "route53:CreateHealthCheck", "route53:DeleteHealthCheck",
    "route53:GetChange", "route53:UpdateHealthCheck",
)  # fmt: skip


def bucket_policy(of: Footing) -> Document:
    """TLS 1.2 or newer for everybody, and no other key."""
    everything = [of.bucket_arn, f"{of.bucket_arn}/*"]
    key_named = "s3:x-amz-server-side-encryption-aws-kms-key-id"
    other_key = {"StringNotEquals": {key_named: of.alias_arn}, "Null": {key_named: "false"}}
    return _document(
        _nobody("TlsOnly", "s3:*", everything, {"Bool": {"aws:SecureTransport": "false"}}),
        _nobody("NoOldTls", "s3:*", everything, {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
        _nobody("ThisKeyOnly", "s3:PutObject", everything[1], other_key),
    )


def key_policy(of: Footing) -> Document:
    """Whom IAM of the account lets use the key."""
    return _document(
        {
            "Sid": "IamOfTheAccount",
            "Effect": "Allow",
            "Principal": {"AWS": of.iam("root")},
            "Action": "kms:*",
            "Resource": "*",
        }
    )


def trust(of: Footing, environment: str) -> Document:
    """Jobs of one environment of the repository on GitHub, and nobody else."""
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"Federated": of.issuer_arn},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{GITHUB_ISSUER}:aud": AUDIENCE,
                    f"{GITHUB_ISSUER}:sub": f"repo:{of.repository}:environment:{environment}",
                }
            },
        }
    )


def boundary(of: Footing) -> Document:
    """The most that a role may do which the deploy role makes: write the estate's own flow logs."""
    return _document(
        _allow(
            "FlowLogs",
            ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            _log_groups(of),
        )
    )


def preview(of: Footing) -> Document:
    """Read the state and its secrets, look at what is there; change nothing, not even a lock."""
    return _document(
        _allow("ReadState", "s3:GetObject", f"{of.bucket_arn}/{STATE_OBJECTS}"),
        *_looking(of),
        _allow("ReadSecrets", "kms:Decrypt", _keys(of, of.region), _state_key(of)),
    )


def deploy(of: Footing) -> Document:
    """Look, write the state, and make, change and delete what is the estate's."""
    here = {"aws:RequestedRegion": list(of.regions)}
    tagged = {"aws:ResourceTag/estate": of.estate}
    return _document(
        *_looking(of),
        *_state(of),
        _allow("Make", MAKING, "*", {"StringEquals": here}),
        _allow("ChangeOwn", CHANGING, "*", {"StringEquals": here | tagged}),
        *_site_keys(of),
        *_roles(of),
        *_telling(of),
        *_names(of),
    )


def _state(of: Footing) -> list[Mapping[str, Any]]:
    """Write the state; the key that it is encrypted with is used, and left as it is."""
    key = _keys(of, of.region)
    kept = _allow("KeepStateKey", CHANGING_KEYS, key, _state_key(of))
    return [
        _allow(
            "State", ("s3:DeleteObject", "s3:GetObject", "s3:PutObject"), f"{of.bucket_arn}/{STATE_OBJECTS}"
        ),
        _allow("Secrets", ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"), key, _state_key(of)),
        {**kept, "Effect": "Deny"},
    ]


def _site_keys(of: Footing) -> list[Mapping[str, Any]]:
    """Keys of sites, and what EC2 does with them on behalf of whoever attaches a volume."""
    keys = [_keys(of, region) for region in of.regions]
    names = [
        f"arn:{of.partition}:kms:{region}:{of.account}:alias/{PROJECT}-{of.estate}-{site}"
        for region in of.regions
        for site in of.sites
    ]
    tagged = {"StringEquals": {"aws:ResourceTag/estate": of.estate}}
    for_ec2 = {"StringLike": {"kms:ViaService": "ec2.*.amazonaws.com"}}
    return [
        _allow("MakeKeys", "kms:CreateKey", "*", {"StringEquals": {"aws:RequestedRegion": list(of.regions)}}),
        _allow("ChangeOwnKeys", CHANGING_KEYS, keys, tagged),
        _allow("UseOwnKeys", USING_KEYS, keys, tagged | for_ec2),
        _allow(
            "GrantOwnKeys", "kms:CreateGrant", keys, tagged | {"Bool": {"kms:GrantIsForAWSResource": "true"}}
        ),
        _allow("NameKeys", ("kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"), [*keys, *names]),
    ]


def _names(of: Footing) -> list[Mapping[str, Any]]:
    """Names in the zone above, for the estate's domain alone; health checks, which know no tag in time."""
    record_names = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
    own = {"ForAllValues:StringLike": {record_names: [of.domain, f"*.{of.domain}"]}}
    zones = f"arn:{of.partition}:route53:::hostedzone/*"
    return [
        _allow("Delegate", "route53:ChangeResourceRecordSets", zones, own),
        _allow("HealthChecks", HEALTH_CHECKS, "*"),
    ]


def _looking(of: Footing) -> list[Mapping[str, Any]]:
    keys = [_keys(of, region) for region in dict.fromkeys((*of.regions, of.region))]
    return [
        _allow("FindState", ["s3:GetBucketLocation", "s3:ListBucket"], of.bucket_arn),
        _allow("Look", list(LOOKING), "*"),
        _allow("LookAtRoles", list(LOOKING_AT_ROLES), _own_roles(of)),
        _allow("LookAtKeys", list(LOOKING_AT_KEYS), keys),
    ]


def _roles(of: Footing) -> list[Mapping[str, Any]]:
    """Roles of hosts and of flow logs. None may be made that is not bounded, or handed to anyone else."""
    bounded = {"StringEquals": {"iam:PermissionsBoundary": of.boundary_arn}}
    return [
        _allow("MakeRoles", ["iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"],
               _own_roles(of)[0], bounded),
        _allow(
            "ChangeRoles",
            ["iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile",
             "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:RemoveRoleFromInstanceProfile",
             "iam:TagInstanceProfile", "iam:TagRole", "iam:UntagInstanceProfile", "iam:UntagRole",
             "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription"],
            _own_roles(of),
        ),
        _allow(
            "HandOverRoles",
            "iam:PassRole",
            _own_roles(of)[0],
            {"StringEquals": {"iam:PassedToService": ["ec2.amazonaws.com", "vpc-flow-logs.amazonaws.com"]}},
        ),
    ]  # fmt: skip


def _telling(of: Footing) -> list[Mapping[str, Any]]:
    """Flow logs, alarms, and the topics that alarms are told to."""
    return [
        _allow(
            "FlowLogGroups",
            ["logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:DeleteLogGroup",
             "logs:DeleteRetentionPolicy", "logs:DisassociateKmsKey", "logs:PutRetentionPolicy",
             "logs:TagResource", "logs:UntagResource"],
            _log_groups(of),
        ),
        _allow(
            "Alarms",
            ["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource",
             "cloudwatch:UntagResource"],
            f"arn:{of.partition}:cloudwatch:*:{of.account}:alarm:{of.estate}-*",
        ),
        _allow(
            "Topics",
            ["sns:CreateTopic", "sns:DeleteTopic", "sns:SetSubscriptionAttributes",
             "sns:SetTopicAttributes", "sns:Subscribe", "sns:TagResource", "sns:Unsubscribe",
             "sns:UntagResource"],
            f"arn:{of.partition}:sns:*:{of.account}:{of.estate}-*",
        ),
    ]  # fmt: skip


def _own_roles(of: Footing) -> list[str]:
    return [of.iam(f"role/{of.estate}-*"), of.iam(f"instance-profile/{of.estate}-*")]


def _keys(of: Footing, region: str) -> str:
    return f"arn:{of.partition}:kms:{region}:{of.account}:key/*"


def _state_key(of: Footing) -> Mapping[str, Any]:
    """The condition that names the state's key: a policy cannot name a key by its alias itself."""
    return {"ForAnyValue:StringEquals": {"kms:ResourceAliases": of.alias}}


def _log_groups(of: Footing) -> list[str]:
    groups = f"arn:{of.partition}:logs:*:{of.account}:log-group:/{PROJECT}/{of.estate}/*"
    return [groups, f"{groups}:*"]


def _allow(
    sid: str, actions: str | Sequence[str], resources: str | Sequence[str], condition: Document | None = None
) -> Mapping[str, Any]:
    listed = actions if isinstance(actions, str) else list(actions)
    statement = {"Sid": sid, "Effect": "Allow", "Action": listed, "Resource": resources}
    return {**statement, "Condition": condition} if condition else statement


def _nobody(sid: str, action: str, resources: str | Sequence[str], condition: Document) -> Mapping[str, Any]:
    return {**_allow(sid, action, resources, condition), "Effect": "Deny", "Principal": "*"}


def _document(*statements: Mapping[str, Any]) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}
