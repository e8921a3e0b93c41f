"""The estate: sites, links, cells, tenants. Plain values without I/O.

`estate_file.load` makes an `Estate` from `stacks/<env>.yaml`; nothing else describes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping
    from ipaddress import IPv4Address, IPv4Network

    from mirrorforce.aws import AwsEstate, AwsSite
    from mirrorforce.workspace import SharedState

Platform = Literal["lab", "aws", "static"]
Role = Literal["control", "database", "application"]
Preset = Literal["fast", "default", "wide"]

POSTGRES_PORT = 5432
PATRONI_PORT = 8008
ETCD_CLIENT_PORT = 2379
ETCD_PEER_PORT = 2380
DNS_PORT = 53
SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that exists already, as the estate file tells of it: one host of a static site.

    `host_key` is its public ed25519 key, `proxy_command` as in ssh_config, '' where ssh needs none.
    """

    name: str
    address: IPv4Address
    host_key: str
    user: str
    port: int
    proxy_command: str


@dataclass(frozen=True, slots=True)
class StaticSite:
    """What a site of platform static is built on. `controllers`: networks that ssh to its hosts comes from.

    Without a kernel of their own (`own_kernel`) hosts are containers: they have no say over its settings,
    its clock or a watchdog.
    """

    controllers: tuple[IPv4Network, ...]
    own_kernel: bool
    machines: tuple[Machine, ...]

    def machine(self, name: str) -> Machine:
        """The machine of that name; KeyError where there is none."""
        return {machine.name: machine for machine in self.machines}[name]


@dataclass(frozen=True, slots=True)
class Site:
    """One facility. A mirrored site has one control host (etcd voter, failover DNS).

    `static` is there on platform static and nowhere else, `aws` on platform aws.
    """

    name: str
    platform: Platform
    failure_domain: str
    cidr: IPv4Network
    mirrored: bool
    application_hosts: int
    static: StaticSite | None = None
    aws: AwsSite | None = None

    @property
    def own_kernel(self) -> bool:
        """Whether its hosts have kernels of their own; lab hosts share that of the machine they run on."""
        return self.platform != "lab" if self.static is None else self.static.own_kernel


@dataclass(frozen=True, slots=True)
class Link:
    """A link between two sites, `round_trip_ms` in milliseconds, half of it each way."""

    between: tuple[str, str]
    round_trip_ms: float


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume of its own that a database host mounts. Size in MiB.

    `iops` (operations a second) and `throughput_mib` (MiB a second) are what AWS provisions.
    """

    name: Literal["data", "wal"]
    mount: str
    size_mib: int
    iops: int = 3000
    throughput_mib: int = 125


@dataclass(frozen=True, slots=True)
class Cell:
    """One mirrored database cluster. `members` maps a site to its number of member hosts.

    `slot` is the cell's place in every site's address plan (`placement`): the cell keeps its
    addresses when a cell before it leaves the file.
    """

    name: str
    preferred_site: str
    members: Mapping[str, int]
    synchronous_copies: int
    durable_failure_domains: int
    database: str
    volumes: tuple[Volume, ...]
    slot: int


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer, living in exactly one cell."""

    name: str
    cell: str


@dataclass(frozen=True, slots=True)
class AcceptedRisk:
    """A risk the owner accepts by name; `subject` is the cell it is accepted for, or ''."""

    risk: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class AcceptedDrift:
    """Drift that the owner accepts until the end of a day: shell patterns of what it is found at.

    `layer` is the layer that sees it, '' for any.
    """

    subject: str
    item: str
    layer: str
    reason: str
    until: dt.date


@dataclass(frozen=True, slots=True)
class Estate:
    """Everything under one estate file.

    `aws` is what its sites on AWS share, None where it has none. `state` is where its state is shared, None
    where it lies on the machine that deploys.
    `fence_and_release`: agents beside Patroni make failovers earlier (docs/failover.md).
    `timing_overrides` holds single Patroni timings (seconds, by Patroni's names) that replace the preset's.
    """

    name: str
    domain: str
    preset: Preset
    timing_overrides: Mapping[str, int]
    sites: tuple[Site, ...]
    links: tuple[Link, ...]
    cells: tuple[Cell, ...]
    tenants: tuple[Tenant, ...]
    accepted_risks: tuple[AcceptedRisk, ...]
    aws: AwsEstate | None = None
    state: SharedState | None = None
    accepted_drift: tuple[AcceptedDrift, ...] = ()
    fence_and_release: bool = False

    def site(self, name: str) -> Site:
        """The site of that name; KeyError where there is none."""
        return {site.name: site for site in self.sites}[name]

    def cell(self, name: str) -> Cell:
        """The cell of that name; KeyError where there is none."""
        return {cell.name: cell for cell in self.cells}[name]

    @property
    def mirrored_sites(self) -> tuple[Site, ...]:
        """The sites that hold an etcd voter and failover DNS."""
        return tuple(site for site in self.sites if site.mirrored)

    def round_trip_ms(self, one: str, other: str) -> float:
        """Round trip between two sites in milliseconds; 0 within a site."""
        if one == other:
            return 0.0
        return next(link.round_trip_ms for link in self.links if set(link.between) == {one, other})

    def longest_round_trip_ms(self, site: str, others: Iterable[str]) -> float:
        """Round trip from a site to the farthest of these in milliseconds."""
        return max(self.round_trip_ms(site, other) for other in others)


@dataclass(frozen=True, slots=True)
class Host:
    """A host that the estate needs: the answer of `placement.hosts`.

    machine: what it is, where it exists already.
    zone: the number of its availability zone in the site; 0 where a site has no zones.
    """

    name: str
    site: str
    role: Role
    address: IPv4Address
    cell: str | None
    volumes: tuple[Volume, ...]
    machine: Machine | None = None
    zone: int = 0

    @property
    def ssh_port(self) -> int:
        """The port that its sshd listens at."""
        return self.machine.port if self.machine else SSH_PORT
