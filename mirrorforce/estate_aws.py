"""What an estate file says about AWS: read, and checked for what no schema can tell."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from mirrorforce import estate_networks
from mirrorforce.aws import (
    BASE_IOPS,
    LARGEST_PREFIX,
    SMALLEST_PREFIX,
    AwsEstate,
    AwsSite,
    Image,
)
from mirrorforce.estate_reading import mapping, sequence
from mirrorforce.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mirrorforce.estate import Cell, Estate, Site
    from mirrorforce.estate_reading import Reading
    from mirrorforce.faults import FilePath

_MIB_OF_GIB = 1024
_MOST_IOPS_OF_GIB = 500
_LEAST_IOPS_OF_MIB = 4
"""Bounds of gp3 ("Amazon EBS volume types" in the EBS documentation), beyond those of the schema."""
_WIDEST_CONTROLLERS = 8
"""Prefix length of the widest network that ssh may be declared to come from: a whole 10.0.0.0/8."""


def estate(section: Mapping[str, Any] | None) -> AwsEstate | None:
    """The section `aws` of an estate file, with its defaults filled in; None where there is none."""
    if section is None:
        return None
    return AwsEstate(
        owner=section["owner"],
        cost_centre=section["cost_centre"],
        account=section.get("account", ""),
        permissions_boundary=section.get("permissions_boundary", ""),
        image=Image(section["image"]["owner"], section["image"]["name"]),
        interconnect=section["interconnect"],
        forwarders=section["forwarders"],
        delegate_from=section.get("delegate_from", ""),
        alarms=section["alarms"],
        alarms_to=section.get("alarms_to", ""),
    )


def site(entry: Mapping[str, Any], document: Mapping[str, Any]) -> AwsSite | None:
    """The section `aws` of a site on AWS; instance types that it does not name are the estate's."""
    if entry["platform"] != "aws" or "aws" not in entry:
        return None
    section = entry["aws"]
    shared: Mapping[Any, str] = mapping(mapping(document.get("aws")).get("instance_types"))
    return AwsSite(
        region=section["region"],
        zones=tuple(section["zones"]),
        instance_types={**shared, **section["instance_types"]},
        egress=section["egress"],
        access=section["access"],
        controllers=tuple(sorted(IPv4Network(network) for network in section["controllers"])),
        spread=section["spread"],
        flow_log_days=section["flow_log_days"],
        final_snapshots=section["final_snapshots"],
    )


def network_faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with networks; needed before the document can become an estate."""
    for name, entry in mapping(document.get("sites")).items():
        cidr = mapping(entry).get("cidr")
        if mapping(entry).get("platform") == "aws" and isinstance(cidr, str):
            yield from _prefix_fault(name, cidr)
        controllers = sequence(mapping(mapping(entry).get("aws")).get("controllers"))
        for index, network in enumerate(controllers):
            path = ("sites", name, "aws", "controllers", index)
            yield from estate_networks.network_faults(path, network)
            yield from _open_to_the_world(path, network)


def _prefix_fault(name: str, cidr: str) -> Iterator[Fault]:
    try:
        prefix = IPv4Network(cidr).prefixlen
    except ValueError:
        return
    if not LARGEST_PREFIX <= prefix <= SMALLEST_PREFIX:
        found = f"{cidr}, a quarter of which is for the hosts of each zone"
        allowed = f"on aws: a network of /{LARGEST_PREFIX} to /{SMALLEST_PREFIX}"
        yield Fault(("sites", name, "cidr"), found, allowed)


def _open_to_the_world(path: FilePath, network: object) -> Iterator[Fault]:
    try:
        prefix = IPv4Network(network).prefixlen if isinstance(network, str) else SMALLEST_PREFIX
    except ValueError:
        return
    if prefix < _WIDEST_CONTROLLERS:
        found = f"{network}, a good part of the world"
        yield Fault(path, found, f"a network of /{_WIDEST_CONTROLLERS} or smaller")


def faults(reading: Reading) -> Iterator[Fault]:
    """Sections that are missing or vain, sites that contradict each other, volumes that gp3 has not."""
    yield from _sections(reading)
    for each in reading.estate.sites:
        if each.aws:
            yield from _access(("sites", each.name, "aws"), each.aws)
            yield from _egress(("sites", each.name, "aws"), each.aws, reading.estate.aws)
    yield from _regions(reading.estate)
    for cell in reading.estate.cells:
        if any(each.aws for each in reading.estate.sites if each.name in cell.members):
            yield from _volumes(cell)
    yield from _shared(reading)


def _sections(reading: Reading) -> Iterator[Fault]:
    entries = mapping(reading.document.get("sites"))
    on_aws = [name for name, entry in entries.items() if mapping(entry).get("platform") == "aws"]
    for name, entry in entries.items():
        if not reading.sound("sites", name, "platform"):
            continue
        has_section = "aws" in mapping(entry)
        if name in on_aws and not has_section:
            allowed = "a mapping with region and zones, as the platform is aws"
            yield Fault(("sites", name, "aws"), "nothing: the key is missing", allowed)
        elif has_section and name not in on_aws:
            found = f"a mapping, while the platform is {entry['platform']}"
            yield Fault(("sites", name, "aws"), found, "nothing, or platform aws")
    if on_aws and "aws" not in reading.document:
        found = f"nothing: the key is missing, while {', '.join(on_aws)} is on aws"
        yield Fault(("aws",), found, "a mapping with owner and cost_centre")
    elif not on_aws and "aws" in reading.document and reading.sound("sites"):
        yield Fault(("aws",), "a mapping, while no site is on aws", "nothing, or a site with platform aws")


def _access(path: FilePath, aws: AwsSite) -> Iterator[Fault]:
    if aws.access == "direct" and not aws.controllers:
        found, allowed = "none, while access is direct", "the networks that ssh comes from"
        yield Fault((*path, "controllers"), found, allowed)
    elif aws.access == "endpoint" and aws.controllers:
        found = "networks, while ssh comes in by the endpoint"
        yield Fault((*path, "controllers"), found, "none, or access: direct")


def _egress(path: FilePath, aws: AwsSite, shared: AwsEstate | None) -> Iterator[Fault]:
    """Without a way out no package is ever installed."""
    if shared and aws.egress == "none" and shared.image.is_debians:
        found = "none, while hosts start from Debian's own image, which has none of the roles' packages"
        allowed = "nat, nat-per-zone, or an image of your own with the packages (aws.image)"
        yield Fault((*path, "egress"), found, allowed)


def _regions(estate: Estate) -> Iterator[Fault]:
    """A region can be lost as a whole."""
    first_of: dict[str, Site] = {}
    for each in estate.sites:
        if each.aws is None:
            continue
        first = first_of.setdefault(each.aws.region, each)
        if first.failure_domain != each.failure_domain:
            found = (
                f"{each.failure_domain}, while the site {first.name}, in the same region "
                f"{each.aws.region}, is in {first.failure_domain}"
            )
            allowed = "one failure domain for all sites of a region"
            yield Fault(("sites", each.name, "failure_domain"), found, allowed)


def _volumes(cell: Cell) -> Iterator[Fault]:
    for volume in cell.volumes:
        path = ("cells", cell.name, "volumes")
        if volume.size_mib % _MIB_OF_GIB:
            fitting = -(-volume.size_mib // _MIB_OF_GIB) * _MIB_OF_GIB
            found = f"{volume.size_mib}, no whole number of GiB, in which AWS counts"
            yield Fault((*path, f"{volume.name}_mib"), found, f"a multiple of {_MIB_OF_GIB}", str(fitting))
        most = max(BASE_IOPS, _MOST_IOPS_OF_GIB * (volume.size_mib // _MIB_OF_GIB))
        if volume.iops > most:
            found = f"{volume.iops}, too many for {volume.size_mib // _MIB_OF_GIB} GiB"
            yield Fault((*path, f"{volume.name}_iops"), found, f"{most} or less, or a larger volume")
        if volume.throughput_mib * _LEAST_IOPS_OF_MIB > volume.iops:
            found = f"{volume.throughput_mib}, too much for {volume.iops} operations a second"
            allowed = f"{volume.iops // _LEAST_IOPS_OF_MIB} or less, or {volume.name}_iops four times as high"
            yield Fault((*path, f"{volume.name}_throughput_mib"), found, allowed)


def _shared(reading: Reading) -> Iterator[Fault]:
    shared = reading.estate.aws
    if shared is None:
        return
    if shared.alarms_to and not shared.alarms:
        yield Fault(("aws", "alarms_to"), "an address, while alarms is false", "nothing, or alarms: true")
    above = shared.delegate_from
    if above and reading.sound("domain") and not reading.estate.domain.endswith(f".{above}"):
        found = f"{above}, which the domain {reading.estate.domain} is not in"
        yield Fault(("aws", "delegate_from"), found, "a zone above the estate's domain")
