"""The key that encrypts what a site keeps: volumes, flow logs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi_aws as aws

from mirrorforce.workspace import PROJECT

if TYPE_CHECKING:
    from mirrorforce.sites.aws_scope import Caller, Scope

_DAYS_TO_REGRET = 30
"""Days that AWS keeps a key that was deleted: the longest there is. Without it nothing can be read again."""


def build_key(scope: Scope, caller: Caller, log_group: str) -> aws.kms.Key:
    """Make the key. It is protected: what it encrypts is lost with it."""
    policy = key_policy(caller.partition, caller.account, scope.region, log_group)
    key = aws.kms.Key(
        scope.name("key"),
        description=f"Volumes and logs of the site {scope.site} of the estate {scope.estate.name}",
        policy=json.dumps(policy),
        enable_key_rotation=True,
        deletion_window_in_days=_DAYS_TO_REGRET,
        tags=scope.tags(scope.name("key")),
        opts=scope.options(protect=True),
    )
    aws.kms.Alias(
        scope.name("key-name"),
        name=f"alias/{PROJECT}-{scope.estate.name}-{scope.site}",
        target_key_id=key.key_id,
        opts=scope.options(),
    )
    return key


def key_policy(partition: str, account: str, region: str, log_group: str) -> dict[str, object]:
    """Who may use the key: whom IAM of its own account lets, and CloudWatch for this one log group.

    EC2 uses it by a grant of whoever attaches a volume; hosts themselves need no right to it.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "IamOfTheAccount",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:{partition}:iam::{account}:root"},
                "Action": "kms:*",
                "Resource": "*",
            },
            {
                "Sid": "FlowLogs",
                "Effect": "Allow",
                "Principal": {"Service": f"logs.{region}.amazonaws.com"},
                "Action": [
                    "kms:Encrypt*",
                    "kms:Decrypt*",
                    "kms:ReEncrypt*",
                    "kms:GenerateDataKey*",
                    "kms:Describe*",
                ],
                "Resource": "*",
                "Condition": {
                    "ArnEquals": {
                        "kms:EncryptionContext:aws:logs:arn": (
                            f"arn:{partition}:logs:{region}:{account}:log-group:{log_group}"
                        )
                    }
                },
            },
        ],
    }
