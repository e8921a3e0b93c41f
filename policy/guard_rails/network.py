"""Nothing is open to the world, and database hosts have no address that the world could call."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any

from .encryption import INSTANCE, TEMPLATE
from .model import UNKNOWN, Resource, Rule, Setting, Settings, StackRule, Violation, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GROUPS = frozenset(
    {"aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"}
)
GROUP_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
INGRESS_RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
ELASTIC = frozenset({"aws:ec2/eip:Eip", "aws:ec2/eipAssociation:EipAssociation"})
ATTACHED_BY = ("instance", "instanceId", "networkInterface", "networkInterfaceId")
DATABASE = "database"

# What no packet from the internet comes from: RFC 1918, RFC 6598, RFC 2544, RFC 4193.
PRIVATE = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "198.18.0.0/15",
        "fc00::/7",
    )
)

OPEN_PORTS = Setting(
    "Ports that may be open to the world, such as 53 where a public zone delegates to the estate.",
    {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 65535}},
    [],
)
WIDEST_IPV4 = Setting(
    "The shortest prefix of a public IPv4 network that counts as somebody, not as the world.",
    {"type": "integer", "minimum": 1, "maximum": 32},
    22,
)
WIDEST_IPV6 = Setting("The same for IPv6.", {"type": "integer", "minimum": 1, "maximum": 128}, 48)


def ingress(resource: Resource, settings: Settings) -> Iterator[Violation]:
    """What security groups let in, whichever of the three resources says it."""
    for where, entry in _entries(resource):
        for field, network in _sources(entry):
            if is_world(network, settings) and not _declared_open(entry, settings):
                yield Violation(
                    f"{where}{field} lets in {network} at {_ports(entry)}",
                    "sources that are somebody: private networks, security groups, or public networks of "
                    f"/{settings['widestIpv4']} (IPv4) or /{settings['widestIpv6']} (IPv6) at most",
                    "name who has to come in; a port for everybody goes into openPorts of this rule's config",
                )


def is_world(text: object, settings: Settings) -> bool:
    """Whether a network is too wide to be anybody: not private, and wider than the settings allow."""
    if not isinstance(text, str):
        return False
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        return False  # the provider turns it down
    if any(_lies_in(network, private) for private in PRIVATE):
        return False
    widest: int = settings["widestIpv4" if network.version == 4 else "widestIpv6"]  # noqa: PLR2004
    return network.prefixlen < widest


def _lies_in(network: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(other, IPv4Network) and network.subnet_of(other)
    return isinstance(other, IPv6Network) and network.subnet_of(other)


def _entries(resource: Resource) -> Iterator[tuple[str, Any]]:
    """What is let in, and where in the resource it is said."""
    if resource.type in GROUPS:
        for index, entry in enumerate(resource.items("ingress")):
            yield f"ingress[{index}].", entry
    elif resource.type == INGRESS_RULE or (
        resource.type == GROUP_RULE and resource.get("type") in ("ingress", UNKNOWN)
    ):
        yield "", resource.properties


def _sources(entry: Any) -> Iterator[tuple[str, object]]:  # noqa: ANN401 - properties are as free as JSON
    for field in ("cidrBlocks", "ipv6CidrBlocks"):
        value = entry.get(field)
        for network in value if isinstance(value, list) else ():
            yield field, network
    for field in ("cidrIpv4", "cidrIpv6"):
        yield field, entry.get(field)


def _declared_open(entry: Any, settings: Settings) -> bool:  # noqa: ANN401 - properties are as free as JSON
    protocol, first, last = _protocol(entry), entry.get("fromPort"), entry.get("toPort")
    if UNKNOWN in (protocol, first, last):
        return True
    if protocol not in ("tcp", "udp") or not all(isinstance(end, int | float) for end in (first, last)):
        return False
    ports = range(int(first), int(last) + 1)
    return len(ports) > 0 and set(ports) <= set(settings["openPorts"])


def _protocol(entry: Any) -> object:  # noqa: ANN401 - properties are as free as JSON
    return entry.get("protocol", entry.get("ipProtocol"))


def _ports(entry: Any) -> str:  # noqa: ANN401 - properties are as free as JSON
    protocol = _protocol(entry)
    if protocol in ("-1", None):
        return "every port"
    first, last = (shown(_whole(entry.get(end))) for end in ("fromPort", "toPort"))
    return f"{protocol} {first}" if first == last else f"{protocol} {first} to {last}"


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) else value


def public_address(resource: Resource, _settings: Settings) -> Iterator[Violation]:
    """A database host is made without a public address, whatever its subnet gives."""
    if resource.type != INSTANCE or resource.tags.get("role") != DATABASE:
        return
    given = resource.get("associatePublicIpAddress")
    if given is not UNKNOWN and given is not False:
        yield Violation(
            f"associatePublicIpAddress is {shown(given)}",
            "associatePublicIpAddress: false for a host whose tag role is database",
            "set it; ssh comes in by the site's endpoint, packages by its way out",
        )


def elastic_address(resources: Iterable[Resource], _settings: Settings) -> Iterator[Violation]:
    """No elastic address is given to a database host later."""
    everything = {resource.urn: resource for resource in resources}
    databases = {
        urn for urn, each in everything.items() if each.type == INSTANCE and each.tags.get("role") == DATABASE
    }
    ids = {identity: urn for urn in databases if isinstance(identity := everything[urn].get("id"), str)}
    for address in everything.values():
        if address.type not in ELASTIC:
            continue
        sources = {urn for field in ATTACHED_BY for urn in address.dependencies.get(field, ())}
        sources |= {ids[value] for value in map(address.get, ATTACHED_BY) if value in ids}
        for urn in sorted(databases & sources):
            yield Violation(
                f"an elastic address for the database host {everything[urn].name}",
                "no public address on a database host",
                "take it away; clients find the primary by the estate's names, inside its networks",
                address.urn,
            )


def templates(resource: Resource, _settings: Settings) -> Iterator[Violation]:
    """A launch template cannot say yes where a host says no."""
    if resource.type == TEMPLATE:
        for index, interface in enumerate(resource.items("networkInterfaces")):
            if str(interface.get("associatePublicIpAddress")).lower() == "true":
                yield Violation(
                    f"networkInterfaces[{index}].associatePublicIpAddress is true",
                    "false: what needs a public address asks for it by itself",
                    "take it out of the template",
                )


_INGRESS_SETTINGS = {"openPorts": OPEN_PORTS, "widestIpv4": WIDEST_IPV4, "widestIpv6": WIDEST_IPV6}

RULES = (
    Rule("nothing-is-open-to-the-world", "No security group lets in the world.", ingress, _INGRESS_SETTINGS),
    Rule("database-hosts-have-no-public-address", "Database hosts have no public address.", public_address),
    Rule("templates-give-no-public-address", "Launch templates give no public address.", templates),
    StackRule(
        "database-hosts-get-no-elastic-address", "Database hosts get no elastic address.", elastic_address
    ),
)
