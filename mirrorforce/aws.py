"""What an estate file says about AWS, as plain values, and what follows from a name alone. Asks nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network

    from mirrorforce.estate import Role

Architecture = Literal["amd64", "arm64"]
Egress = Literal["nat", "nat-per-zone", "none"]
Access = Literal["endpoint", "direct"]
Interconnect = Literal["peering", "transit-gateway"]

DEBIAN_OWNER = "136693071363"
"""The account that publishes Debian's images (wiki.debian.org/Cloud/AmazonEC2Image)."""
ARCHITECTURE = "{architecture}"
"""Stands in an image's name for the architecture of the instance type."""

HEALTH_CHECK_REGION = "us-east-1"
"""Where the metrics of Route 53's health checks are, whatever region they are of."""

RENEW_IMAGES = "MIRRORFORCE_RENEW_IMAGES"
"""The variable that names hosts, with commas between, which are to be made anew of today's image."""

LARGEST_PREFIX, SMALLEST_PREFIX = 16, 24
"""A VPC has 65,536 addresses at most (/16); in a quarter of less than a /24 hosts would soon have no room."""

ROOT_VOLUME_GIB = 16
"""Debian's image has a root of 8 GiB; twice that leaves room for packages, the journal and etcd."""
BASE_IOPS = 3000
BASE_THROUGHPUT = 125
"""What a gp3 volume has at no further price, in operations and MiB a second."""
FORWARDER_ADDRESSES = 2
"""Addresses of an outbound endpoint of Route 53 Resolver, which takes no fewer."""

_GRAVITON = re.compile(r"^(?:a1|[a-z]+[0-9]+g[a-z]*)[.]")


@dataclass(frozen=True, slots=True)
class Image:
    """Whose image new hosts start from, and its name, where `ARCHITECTURE` and `*` may stand in it."""

    owner: str
    name: str

    @property
    def is_debians(self) -> bool:
        """Whether Debian publishes it: such an image has none of the roles' packages."""
        return self.owner == DEBIAN_OWNER

    def pattern(self, architecture: Architecture) -> str:
        """The name to look for, for one architecture."""
        return self.name.replace(ARCHITECTURE, architecture)


@dataclass(frozen=True, slots=True)
class AwsSite:
    """What a site on AWS has beside what every site has.

    zones: letters of availability zones in the region; hosts are spread over them.
    instance_types: by role.
    egress: how hosts reach Debian's packages; `none` for images that carry them.
    access: how ssh comes in: by an EC2 Instance Connect Endpoint, or straight from `controllers`.
    spread: whether members of one cell are to stand on hardware of their own.
    flow_log_days: for how long flow logs are kept; 0 for none.
    final_snapshots: whether a data volume that is deleted leaves a snapshot behind.
    """

    region: str
    zones: tuple[str, ...]
    instance_types: Mapping[Role, str]
    egress: Egress
    access: Access
    controllers: tuple[IPv4Network, ...]
    spread: bool
    flow_log_days: int
    final_snapshots: bool

    def zone_name(self, zone: int) -> str:
        """The availability zone as AWS calls it, `us-east-1a` say."""
        return f"{self.region}{self.zones[zone]}"

    @property
    def nat_zones(self) -> tuple[int, ...]:
        """The zones that have a NAT gateway."""
        return {"none": (), "nat": (0,), "nat-per-zone": tuple(range(len(self.zones)))}[self.egress]


@dataclass(frozen=True, slots=True)
class AwsEstate:
    """What all sites of an estate on AWS share.

    owner, cost_centre: tags on everything.
    account: the only account that anything is made in; '' for whichever the credentials are of.
    permissions_boundary: the policy, by its path and name, that bounds every role; '' for none.
    forwarders: whether each region has an outbound endpoint of Route 53 Resolver, which sends questions
        for the estate's domain to its failover DNS.
    delegate_from: the public zone on Route 53 that delegates the estate's domain; '' for none.
    alarms_to: the address that alarms are mailed to; '' for none.
    """

    owner: str
    cost_centre: str
    account: str
    permissions_boundary: str
    image: Image
    interconnect: Interconnect
    forwarders: bool
    delegate_from: str
    alarms: bool
    alarms_to: str


def architecture(instance_type: str) -> Architecture:
    """The processors of an instance type, by its name: families with a `g` after their number are Graviton.

    Source: "Amazon EC2 instance type naming conventions" in the EC2 documentation.
    """
    return "arm64" if _GRAVITON.match(instance_type) else "amd64"
