"""Health alarms on AWS: of each host that holds data, of forwarders, of the majority of etcd's voters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi_aws as aws

from mirrorforce import durability
from mirrorforce.aws import HEALTH_CHECK_REGION
from mirrorforce.sites.aws_scope import OF_ALL_SITES, Scope, provider

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi

    from mirrorforce.estate import Estate, Host

_PERIOD_SECONDS = 60
_PERIODS = 2
_RESOLVER_PERIOD_SECONDS = 300
"""Route 53 Resolver tells of its endpoints every five minutes."""


def build_topic(scope: Scope, part: str = "alarms") -> list[pulumi.Output[str]]:
    """Where the alarms of a region go: a topic that is mailed; nothing where nobody is to be told."""
    if not scope.shared.alarms_to:
        return []
    topic = aws.sns.Topic(scope.name(part), tags=scope.tags(scope.name(part)), opts=scope.options())
    aws.sns.TopicSubscription(
        scope.name(f"{part}-by-mail"),
        topic=topic.arn,
        protocol="email",
        endpoint=scope.shared.alarms_to,
        opts=scope.options(),
    )
    return [topic.arn]


def host_alarm_name(scope: Scope, host: str) -> str:
    """The alarm of a host. The interconnect knows it by this name, in another region."""
    return f"{scope.estate.name}-{host}-down"


def build_host_alarm(
    scope: Scope, host: Host, instance: aws.ec2.Instance, topics: list[pulumi.Output[str]]
) -> None:
    """Tell of a host whose instance, or whose hardware, fails EC2's own checks, or tells nothing."""
    name = host_alarm_name(scope, host.name)
    aws.cloudwatch.MetricAlarm(
        f"{host.name}-down",
        name=name,
        alarm_description=f"{host.name} fails its status checks, or there is no host",
        namespace="AWS/EC2",
        metric_name="StatusCheckFailed",
        dimensions={"InstanceId": instance.id},
        statistic="Maximum",
        comparison_operator="GreaterThanThreshold",
        threshold=0,
        period=_PERIOD_SECONDS,
        evaluation_periods=_PERIODS,
        treat_missing_data="breaching",
        alarm_actions=topics,
        ok_actions=topics,
        tags=scope.host_tags(host, name),
        opts=scope.options(),
    )


def build_forwarder_alarm(scope: Scope, endpoint: aws.route53.ResolverEndpoint) -> None:
    """Tell of a region whose forwarders lost an address."""
    topics = build_topic(scope, f"{scope.region}-alarms")
    name = scope.name(f"{scope.region}-forwarders-down")
    aws.cloudwatch.MetricAlarm(
        name,
        name=name,
        alarm_description=f"An address that forwards questions for {scope.estate.domain} is down",
        namespace="AWS/Route53Resolver",
        metric_name="EndpointUnhealthyENICount",
        dimensions={"EndpointId": endpoint.id},
        statistic="Maximum",
        comparison_operator="GreaterThanThreshold",
        threshold=0,
        period=_RESOLVER_PERIOD_SECONDS,
        evaluation_periods=1,
        treat_missing_data="missing",
        alarm_actions=topics,
        ok_actions=topics,
        tags=scope.tags(name),
        opts=scope.options(),
    )


def build_quorum_alarm(estate: Estate, scopes: Mapping[str, Scope], parent: pulumi.Resource) -> None:
    """Tell when a bare majority of voters' hosts is left: with one more lost, nothing fails over."""
    voters = [site for site in estate.mirrored_sites if site.aws]
    needed = durability.majority(len(estate.mirrored_sites)) + 1
    if len(voters) < needed:
        return  # votes elsewhere, which AWS knows nothing of, decide
    first = next(iter(scopes.values()))
    checks = [
        aws.route53.HealthCheck(
            f"{site.name}-voter",
            type="CLOUDWATCH_METRIC",
            cloudwatch_alarm_name=host_alarm_name(first, f"{site.name}-control"),
            cloudwatch_alarm_region=site.aws.region,
            insufficient_data_health_status="LastKnownStatus",
            tags=first.tags(first.name(f"{site.name}-voter")),
            opts=first.options(),
        )
        for site in voters
        if site.aws
    ]
    together = aws.route53.HealthCheck(
        first.name("voters"),
        type="CALCULATED",
        child_healthchecks=[check.id for check in checks],
        child_health_threshold=needed,
        tags=first.tags(first.name("voters")),
        opts=first.options(),
    )
    _alarm_of_check(_global_scope(estate, scopes, parent), together)


def _global_scope(estate: Estate, scopes: Mapping[str, Scope], parent: pulumi.Resource) -> Scope:
    if HEALTH_CHECK_REGION in scopes:
        return scopes[HEALTH_CHECK_REGION]
    shared = next(iter(scopes.values())).shared
    made = provider(shared, HEALTH_CHECK_REGION, parent)
    return Scope(estate, shared, OF_ALL_SITES, HEALTH_CHECK_REGION, parent, made)


def _alarm_of_check(scope: Scope, check: aws.route53.HealthCheck) -> None:
    topics = build_topic(scope, "voters-alarms")
    name = scope.name("voters-at-risk")
    aws.cloudwatch.MetricAlarm(
        name,
        name=name,
        alarm_description="Voters of etcd are down: with one more lost, no cell fails over",
        namespace="AWS/Route53",
        metric_name="HealthCheckStatus",
        dimensions={"HealthCheckId": check.id},
        statistic="Minimum",
        comparison_operator="LessThanThreshold",
        threshold=1,
        period=_PERIOD_SECONDS,
        evaluation_periods=_PERIODS,
        treat_missing_data="breaching",
        alarm_actions=topics,
        ok_actions=topics,
        tags=scope.tags(name),
        opts=scope.options(),
    )
