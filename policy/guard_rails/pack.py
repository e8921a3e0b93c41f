"""Hands the rules to Pulumi: the only module that knows its SDK."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pulumi_policy import (
    EnforcementLevel,
    PolicyConfigSchema,
    PolicyPack,
    ResourceValidationPolicy,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from . import encryption, hosts, network, protection, tags
from .model import UNKNOWN, Resource, Rule, Settings, StackRule

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulumi_policy import PolicyResource, ReportViolation, ResourceValidationArgs, StackValidationArgs

NAME = "mirrorforce-guard-rails"

RULES: tuple[Rule | StackRule, ...] = (
    *encryption.RULES,
    *network.RULES,
    *hosts.RULES,
    *protection.RULES,
    *tags.RULES,
)


def start() -> None:
    """Serve the pack to the engine that started us. A violation stops what would break a rule."""
    PolicyPack(
        name=NAME, enforcement_level=EnforcementLevel.MANDATORY, policies=[policy(rule) for rule in RULES]
    )


def policy(rule: Rule | StackRule) -> ResourceValidationPolicy | StackValidationPolicy:
    """A rule as Pulumi knows it."""
    schema = config_schema(rule)
    if isinstance(rule, Rule):
        return ResourceValidationPolicy(rule.name, rule.description, _of_resource(rule), config_schema=schema)
    return StackValidationPolicy(rule.name, rule.description, _of_stack(rule), config_schema=schema)


def config_schema(rule: Rule | StackRule) -> PolicyConfigSchema | None:
    """What the pack's config may say of the rule; None where there is nothing to say."""
    if not rule.settings:
        return None
    return PolicyConfigSchema(
        {
            name: {**setting.schema, "description": setting.description, "default": setting.default}
            for name, setting in rule.settings.items()
        }
    )


def settings_of(rule: Rule | StackRule, config: Mapping[str, Any]) -> Settings:
    """The rule's settings: those of the config, the defaults for the others."""
    return {name: config.get(name, setting.default) for name, setting in rule.settings.items()}


def _of_resource(rule: Rule) -> Callable[[ResourceValidationArgs, ReportViolation], None]:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = Resource(
            type=args.resource_type,
            name=args.name,
            urn=args.urn,
            properties=plain(args.props),
            protect=args.opts.protect,
            provider=provider_of(args.provider),
        )
        for violation in rule.check(resource, settings_of(rule, args.get_config())):
            report(violation.text(f"{resource.type} {resource.name}"), resource.urn)

    return validate


def _of_stack(rule: StackRule) -> Callable[[StackValidationArgs, ReportViolation], None]:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        resources = [_resource(each) for each in args.resources]
        known = {resource.urn: resource for resource in resources}
        for violation in rule.check(resources, settings_of(rule, args.get_config())):
            resource = known[violation.urn]
            report(violation.text(f"{resource.type} {resource.name}"), violation.urn)

    return validate


def _resource(found: PolicyResource) -> Resource:
    return Resource(
        type=found.resource_type,
        name=found.name,
        urn=found.urn,
        properties=plain(found.props),
        protect=found.opts.protect,
        dependencies={
            name: tuple(each.urn for each in sources) for name, sources in found.property_dependencies.items()
        },
        provider=provider_of(found.provider),
    )


def provider_of(provider: Any) -> dict[str, Any]:  # noqa: ANN401 - None, or one of two classes of the SDK
    """A provider's settings; those that are no text come to it as JSON."""
    if provider is None:
        return {}
    return {name: _parsed(value) for name, value in plain(provider.props).items()}


def plain(value: Any) -> Any:  # noqa: ANN401 - properties are as free as JSON
    """Plain values of Pulumi's proxies, which raise at each value that is not known yet."""
    if isinstance(value, Mapping):
        return {key: _read(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_read(value, index) for index in range(len(value))]
    return value


def _read(proxy: Any, key: Any) -> Any:  # noqa: ANN401 - as above
    try:
        return plain(proxy[key])
    except UnknownValueError:
        return UNKNOWN


def _parsed(value: Any) -> Any:  # noqa: ANN401 - as above
    if not isinstance(value, str) or value[:1] not in ("{", "["):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
