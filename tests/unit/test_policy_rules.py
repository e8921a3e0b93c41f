"""Each guard rail: what it lets through, and what it stops with what it says of it."""

from __future__ import annotations

import inspect
import ipaddress
import re
from typing import TYPE_CHECKING, Any

import pulumi_aws
import pytest
from guard_rails import network, pack, tags
from guard_rails.model import UNKNOWN, Resource, Rule, StackRule, Violation
from hypothesis import given
from hypothesis import strategies as st

from mirrorforce.workspace import ROOT
from tests.policy_samples import (
    BUCKET,
    BUCKET_CLOSED,
    BUCKET_ENCRYPTION,
    EIP,
    GOOD,
    GROUP,
    HOST_TAGS,
    INSTANCE,
    KEY,
    PROVIDER,
    SNAPSHOT,
    TAGS,
    TEMPLATE,
    VOLUME,
    resource,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

RULES = {rule.name: rule for rule in pack.RULES}
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
OLD_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
WORLD = "0.0.0.0/0"


def check(name: str, *resources: Resource, **config: object) -> list[Violation]:
    """What a rule says of resources, with this config."""
    rule = RULES[name]
    settings = pack.settings_of(rule, config)
    if isinstance(rule, StackRule):
        return list(rule.check(resources, settings))
    return [violation for each in resources for violation in rule.check(each, settings)]


def every_rule(resources: Iterable[Resource]) -> dict[str, list[Violation]]:
    """What all rules say of a stack of these resources, by rule."""
    everything = list(resources)
    found = {name: check(name, *everything) for name in RULES}
    return {name: violations for name, violations in found.items() if violations}


def test_what_the_estate_makes_is_let_through_by_every_rule() -> None:
    assert every_rule(resource(kind) for kind in GOOD) == {}


STOPPED: list[tuple[str, str, tuple[str | int, ...], object, str]] = [
    ("volumes-are-encrypted", VOLUME, ("encrypted",), None, "encrypted is nothing"),
    ("volumes-are-encrypted", VOLUME, ("encrypted",), False, "encrypted is false"),
    ("volumes-are-encrypted", VOLUME, ("kmsKeyId",), None, "kmsKeyId is not given"),
    ("volumes-are-encrypted", INSTANCE, ("rootBlockDevice",), None, "no rootBlockDevice"),
    ("volumes-are-encrypted", INSTANCE, ("rootBlockDevice", "encrypted"), False, "rootBlockDevice.encrypted"),
    ("volumes-are-encrypted", INSTANCE, ("ebsBlockDevices", 0, "encrypted"), None, "ebsBlockDevices[0].enc"),
    ("volumes-are-encrypted", TEMPLATE, ("blockDeviceMappings", 0, "ebs", "encrypted"), "false", "s[0].ebs."),
    ("keys-are-renewed", KEY, ("enableKeyRotation",), None, "enableKeyRotation is nothing"),
    ("metadata-needs-a-token", INSTANCE, ("metadataOptions",), None, "httpTokens is nothing"),
    ("metadata-needs-a-token", INSTANCE, ("metadataOptions", "httpTokens"), "optional", "is optional"),
    ("metadata-needs-a-token", TEMPLATE, ("metadataOptions", "httpTokens"), None, "httpTokens is nothing"),
    ("nothing-is-open-to-the-world", GROUP, ("ingress", 0, "cidrBlocks"), [WORLD], f"{WORLD} at tcp 5432"),
    ("nothing-is-open-to-the-world", GROUP, ("ingress", 0, "cidrBlocks"), ["128.0.0.0/1"], "128.0.0.0/1"),
    ("nothing-is-open-to-the-world", GROUP, ("ingress", 0, "ipv6CidrBlocks"), ["::/0"], "ipv6CidrBlocks"),
    ("nothing-is-open-to-the-world", INGRESS, ("cidrIpv4",), WORLD, "cidrIpv4 lets in"),
    ("nothing-is-open-to-the-world", INGRESS, ("cidrIpv6",), "::/0", "cidrIpv6 lets in"),
    ("database-hosts-have-no-public-address", INSTANCE, ("associatePublicIpAddress",), True, "is true"),
    ("database-hosts-have-no-public-address", INSTANCE, ("associatePublicIpAddress",), None, "is nothing"),
    (
        "templates-give-no-public-address",
        TEMPLATE,
        ("networkInterfaces", 0, "associatePublicIpAddress"),
        "true",
        "networkInterfaces[0]",
    ),
    ("regions-are-allowed", PROVIDER, ("region",), "eu-west-1", "region is eu-west-1"),
    ("regions-are-allowed", PROVIDER, ("region",), None, "without a region"),
    ("regions-are-allowed", VOLUME, ("availabilityZone",), "eu-west-1a", "availabilityZone is eu-west-1a"),
    ("regions-are-allowed", INSTANCE, ("region",), "eu-west-1", "region is eu-west-1"),
    ("families-are-allowed", INSTANCE, ("instanceType",), "p5.48xlarge", "instanceType is p5.48xlarge"),
    ("families-are-allowed", INSTANCE, ("instanceType",), None, "instanceType is nothing"),
    ("families-are-allowed", TEMPLATE, ("instanceType",), "t2.micro", "instanceType is t2.micro"),
    ("data-outlives-its-deletion", INSTANCE, ("disableApiTermination",), None, "is nothing"),
    ("data-outlives-its-deletion", KEY, ("deletionWindowInDays",), 7.0, "deletionWindowInDays is 7"),
    ("data-outlives-its-deletion", BUCKET, ("forceDestroy",), True, "forceDestroy is true"),
    ("everything-bears-its-tags", GROUP, ("tags", "owner"), None, "tags without owner"),
    ("everything-bears-its-tags", GROUP, ("tags", "owner"), "", "tags without owner"),
    ("everything-bears-its-tags", GROUP, ("tags",), None, "without estate, site, owner, cost-centre"),
    ("everything-bears-its-tags", VOLUME, ("tags", "role"), None, "tags without role"),
    ("everything-bears-its-tags", VOLUME, ("tags", "cell"), None, "tags without cell"),
    (
        "everything-bears-its-tags",
        INSTANCE,
        ("rootBlockDevice", "tags"),
        None,
        "rootBlockDevice.tags without",
    ),
    ("everything-bears-its-tags", "aws:new/thing:Thing", (), None, "the type aws:new/thing:Thing"),
]


@pytest.mark.parametrize(("rule", "kind", "path", "value", "words"), STOPPED)
def test_what_a_rule_forbids_is_stopped_by_it(
    rule: str, kind: str, path: tuple[str | int, ...], value: object, words: str
) -> None:
    (violation,) = check(rule, resource(kind, *path, value=value))
    assert words in violation.found


@pytest.mark.parametrize(("rule", "kind", "path", "value", "words"), STOPPED)
def test_what_a_preview_cannot_know_is_let_pass_until_it_is_known(
    rule: str, kind: str, path: tuple[str | int, ...], value: object, words: str
) -> None:
    del value, words
    if path:
        assert check(rule, resource(kind, *path, value=UNKNOWN)) == []


@pytest.mark.parametrize("kind", [VOLUME, INSTANCE, KEY, BUCKET])
def test_what_holds_data_without_protection_is_stopped(kind: str) -> None:
    (violation,) = check("data-is-protected", resource(kind, protect=False))
    assert "not protected" in violation.found
    assert check("data-is-protected", resource(kind)) == []


def test_a_host_that_holds_no_data_needs_no_protection() -> None:
    application = resource(INSTANCE, "tags", "role", value="application", protect=False)
    assert check("data-is-protected", application) == []
    assert len(check("data-is-protected", application, roles=["application"])) == 1


@pytest.mark.parametrize(
    ("rule", "kind", "path", "value"),
    [
        ("metadata-needs-a-token", INSTANCE, ("metadataOptions",), {"httpEndpoint": "disabled"}),
        ("data-outlives-its-deletion", KEY, ("deletionWindowInDays",), None),
        ("database-hosts-have-no-public-address", INSTANCE, ("tags",), {**TAGS, "role": "application"}),
        ("families-are-allowed", TEMPLATE, ("instanceType",), None),
        ("nothing-is-open-to-the-world", GROUP, ("ingress",), [{"protocol": "-1", "self": True}]),
        ("nothing-is-open-to-the-world", GROUP, ("egress",), [{"protocol": "-1", "cidrBlocks": [WORLD]}]),
        ("nothing-is-open-to-the-world", GROUP, ("ingress", 0, "cidrBlocks"), ["no network"]),
    ],
)
def test_what_only_looks_forbidden_is_let_through(
    rule: str, kind: str, path: tuple[str, ...], value: object
) -> None:
    assert check(rule, resource(kind, *path, value=value)) == []


def test_a_key_that_cannot_be_renewed_is_not_asked_to_be() -> None:
    properties = {"customerMasterKeySpec": "RSA_4096", "tags": TAGS}
    assert check("keys-are-renewed", Resource(KEY, "it", "urn", properties, protect=True)) == []


@pytest.mark.parametrize(("kind", "open_to_all"), [("ingress", True), ("egress", False)])
def test_a_rule_of_its_own_is_looked_at_where_it_lets_in(kind: str, open_to_all: bool) -> None:  # noqa: FBT001
    properties = {"type": kind, "protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": [WORLD]}
    assert (
        bool(check("nothing-is-open-to-the-world", Resource(OLD_RULE, "it", "urn", properties)))
        == open_to_all
    )


@pytest.mark.parametrize(
    ("protocol", "first", "last", "let_in"),
    [
        ("udp", 53, 53, True),
        ("tcp", 53.0, 53.0, True),
        ("tcp", 53, 54, False),
        ("tcp", 0, 65535, False),
        ("icmp", 8, -1, False),
        ("-1", 0, 0, False),
        ("tcp", None, None, False),
    ],
)
def test_a_port_that_is_declared_open_may_be(
    protocol: str, first: float | None, last: float | None, *, let_in: bool
) -> None:
    entry = {"protocol": protocol, "fromPort": first, "toPort": last, "cidrBlocks": [WORLD]}
    found = check("nothing-is-open-to-the-world", resource(GROUP, "ingress", value=[entry]), openPorts=[53])
    assert (found == []) == let_in


@given(st.ip_addresses(v=4), st.integers(0, 32), st.integers(1, 32))
def test_a_public_network_is_the_world_where_it_is_wider_than_the_settings_allow(
    address: ipaddress.IPv4Address, length: int, widest: int
) -> None:
    found = ipaddress.ip_network(f"{address}/{length}", strict=False)
    settings = {"widestIpv4": widest, "widestIpv6": 48}
    private = any(found.version == each.version and found.subnet_of(each) for each in network.PRIVATE)  # type: ignore[arg-type]
    assert network.is_world(str(found), settings) == (length < widest and not private)
    # What lies in a network that is somebody's is somebody's as well.
    if not network.is_world(str(found), settings) and length < 32:
        assert not any(network.is_world(str(half), settings) for half in found.subnets())


def test_a_snapshot_is_as_encrypted_as_its_volume() -> None:
    volume = resource(VOLUME, name="data")
    bare = resource(VOLUME, "encrypted", value=False, name="bare")
    good = resource(SNAPSHOT, name="good", dependencies={"volumeId": (volume.urn,)})
    bad = resource(SNAPSHOT, name="bad", dependencies={"volumeId": (bare.urn,)})
    elsewhere = resource(SNAPSHOT, "encrypted", value=False, name="elsewhere")
    found = check("snapshots-are-encrypted", volume, bare, good, bad, elsewhere)
    assert {violation.urn for violation in found} == {bad.urn, elsewhere.urn}
    assert "the volume bare" in found[0].found


def bucket_stack(*without: str) -> list[Resource]:
    return [resource(kind) for kind in (BUCKET, BUCKET_ENCRYPTION, BUCKET_CLOSED) if kind not in without]


def test_a_bucket_is_encrypted_and_closed_by_resources_beside_it() -> None:
    rule = "buckets-are-encrypted-and-closed"
    assert check(rule, *bucket_stack()) == []
    (unencrypted,) = check(rule, *bucket_stack(BUCKET_ENCRYPTION))
    assert "AES256" in unencrypted.found
    (open_to_all,) = check(rule, *bucket_stack(BUCKET_CLOSED))
    assert "blockPublicAcls" in open_to_all.found


def test_what_configures_another_bucket_does_not_count() -> None:
    other = [resource(kind, "bucket", value="other") for kind in (BUCKET_ENCRYPTION, BUCKET_CLOSED)]
    assert len(check("buckets-are-encrypted-and-closed", resource(BUCKET), *other)) == 2


def test_a_bucket_whose_name_is_not_known_yet_is_told_by_what_depends_on_it() -> None:
    bucket = resource(BUCKET, "bucket", value=UNKNOWN)
    beside = [
        resource(kind, "bucket", value=UNKNOWN, dependencies={"bucket": (bucket.urn,)})
        for kind in (BUCKET_ENCRYPTION, BUCKET_CLOSED)
    ]
    assert check("buckets-are-encrypted-and-closed", bucket, *beside) == []
    assert len(check("buckets-are-encrypted-and-closed", bucket)) == 2


def test_encryption_that_aws_does_by_itself_is_not_enough() -> None:
    by_aws = [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]
    stack = [*bucket_stack(BUCKET_ENCRYPTION), resource(BUCKET_ENCRYPTION, "rules", value=by_aws)]
    (violation,) = check("buckets-are-encrypted-and-closed", *stack)
    assert "AES256" in violation.found


@pytest.mark.parametrize("field", ["instance", "instanceId", "networkInterface"])
def test_a_database_host_gets_no_elastic_address(field: str) -> None:
    host = resource(INSTANCE, name="east-na1")
    by_reference = resource(EIP, name="a", dependencies={field: (host.urn,)})
    (violation,) = check("database-hosts-get-no-elastic-address", host, by_reference)
    assert violation.urn == by_reference.urn
    assert "east-na1" in violation.found


def test_an_elastic_address_by_a_hosts_id_is_seen_too_and_one_for_nat_is_not() -> None:
    host = resource(INSTANCE, "id", value="i-1", name="east-na1")
    by_id = resource(EIP, "instance", value="i-1", name="a")
    of_nat = resource(EIP, name="nat")
    (violation,) = check("database-hosts-get-no-elastic-address", host, by_id, of_nat)
    assert violation.urn == by_id.urn


def test_tags_that_the_provider_gives_count() -> None:
    bare = resource(GROUP, "tags", value={"site": "east"}, provider={"defaultTags": {"tags": TAGS}})
    assert check("everything-bears-its-tags", bare) == []


@given(st.sets(st.sampled_from(sorted(HOST_TAGS))))
def test_exactly_the_tags_that_are_missing_are_named(missing: set[str]) -> None:
    kept = {name: value for name, value in HOST_TAGS.items() if name not in missing}
    found = " ".join(
        violation.found
        for violation in check("everything-bears-its-tags", resource(VOLUME, "tags", value=kept))
    )
    asked = missing - ({"cell"} if "role" in missing else set())
    assert set(re.findall(r"[a-z-]+", found.replace("tags without", ""))) == asked


@pytest.mark.parametrize("rule", pack.RULES, ids=lambda rule: rule.name)
def test_every_setting_has_a_description_a_type_and_a_default_of_that_type(rule: Rule | StackRule) -> None:
    from jsonschema import Draft202012Validator  # noqa: PLC0415

    for setting in rule.settings.values():
        assert setting.description
        Draft202012Validator.check_schema(dict(setting.schema))
        Draft202012Validator(dict(setting.schema)).validate(setting.default)


def used_types() -> dict[str, Any]:
    """The classes of the provider's SDK that the estate's program makes, by their types."""
    found: dict[str, Any] = {}
    for file in (ROOT / "mirrorforce").rglob("*.py"):
        for module, name in re.findall(r"\baws\.(\w+)\.([A-Z]\w+)\(", file.read_text(encoding="utf-8")):
            made = getattr(getattr(pulumi_aws, module), name)
            if hasattr(made, "pulumi_type") and not name.endswith("Args"):
                found[made.pulumi_type] = made
    return found


# The SDK warns of types of its own that it has renamed.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_type_that_the_estate_makes_is_known_to_the_rule_of_tags() -> None:
    used = used_types()
    assert INSTANCE in used
    for kind, made in used.items():
        bears = "tags" in inspect.signature(made._internal_init).parameters  # noqa: SLF001 (it has no other list)
        assert (kind in tags.TAGGED, kind in tags.UNTAGGED) == (bears, not bears), kind


def test_the_two_tables_of_types_share_none() -> None:
    assert not tags.TAGGED & tags.UNTAGGED


@pytest.mark.parametrize("rule", pack.RULES, ids=lambda rule: rule.name)
def test_every_rule_is_in_the_how_to_with_each_of_its_settings(rule: Rule | StackRule) -> None:
    page = (ROOT / "docs" / "howto" / "policy.md").read_text(encoding="utf-8")
    assert f"`{rule.name}`" in page
    for name in rule.settings:
        assert f"`{name}`" in page
