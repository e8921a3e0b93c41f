"""What an estate on AWS has and costs a month, by site. Pure: the estate and a table of prices in.

An estimate of what is there all month at the price on demand. What depends on use (traffic, logs, snapshots)
is not in it, nor are discounts and taxes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorforce import durability, placement
from mirrorforce.aws import (
    BASE_IOPS,
    BASE_THROUGHPUT,
    FORWARDER_ADDRESSES,
    HEALTH_CHECK_REGION,
    ROOT_VOLUME_GIB,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mirrorforce.aws import AwsEstate, AwsSite
    from mirrorforce.aws_prices import Prices
    from mirrorforce.estate import Estate, Host, Site

HOURS = 730
"""Hours of a month, as AWS's own calculator counts: 365 * 24 / 12."""
_MIB_OF_GIB = 1024
INTERCONNECT = "interconnect"


@dataclass(frozen=True, slots=True)
class Line:
    """So many of one thing; `each` is the price of one for a month, None where the table has none."""

    what: str
    count: int
    each: float | None

    @property
    def month(self) -> float | None:
        """All of them for a month."""
        return None if self.each is None else self.each * self.count


@dataclass(frozen=True, slots=True)
class Part:
    """A site, or the interconnect in a region ('' for what is in none): what it has, and for a month."""

    name: str
    region: str
    hosts: int
    volumes_gib: int
    lines: tuple[Line, ...]

    @property
    def month(self) -> float:
        """The sum of what has a price."""
        return sum(line.month or 0.0 for line in self.lines)


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estate's parts and their prices as of `date`."""

    parts: tuple[Part, ...]
    currency: str
    date: str

    @property
    def month(self) -> float:
        """The sum of what has a price."""
        return sum(part.month for part in self.parts)

    @property
    def unpriced(self) -> tuple[str, ...]:
        """What the table has no price for; the sums are without it."""
        return tuple(
            f"{line.what} ({part.region})" for part in self.parts for line in part.lines if line.each is None
        )


def estimate(estate: Estate, prices: Prices) -> Estimate:
    """What the sites on AWS have and cost; no parts where none is."""
    shared = estate.aws
    if shared is None:
        return Estimate((), prices.currency, prices.date)
    sites = tuple(_site(estate, shared, site, site.aws, prices) for site in estate.sites if site.aws)
    return Estimate((*sites, *_interconnect(estate, shared, prices)), prices.currency, prices.date)


def _hourly(price: float | None) -> float | None:
    return None if price is None else price * HOURS


def _site(estate: Estate, shared: AwsEstate, site: Site, on_aws: AwsSite, prices: Prices) -> Part:
    hosts = placement.hosts_of_site(estate, site)
    lines = (
        *_instances(hosts, on_aws, prices),
        *_volumes(hosts, on_aws, prices),
        *_network(on_aws, prices),
        Line("key", 1, prices.of(on_aws.region, "key_month")),
        *_alarms(hosts, shared, on_aws, prices),
    )
    data = sum(volume.size_mib // _MIB_OF_GIB for host in hosts for volume in host.volumes)
    return Part(site.name, on_aws.region, len(hosts), data + len(hosts) * ROOT_VOLUME_GIB, lines)


def _instances(hosts: Sequence[Host], on_aws: AwsSite, prices: Prices) -> Iterator[Line]:
    for role, count in Counter(host.role for host in hosts).items():
        kind = on_aws.instance_types[role]
        yield Line(f"{role} host, {kind}", count, _hourly(prices.instance_hour(on_aws.region, kind)))


def _volumes(hosts: Sequence[Host], on_aws: AwsSite, prices: Prices) -> Iterator[Line]:
    roots = [("root", ROOT_VOLUME_GIB, BASE_IOPS, BASE_THROUGHPUT)] * len(hosts)
    data = [
        (str(volume.name), volume.size_mib // _MIB_OF_GIB, volume.iops, volume.throughput_mib)
        for host in hosts
        for volume in host.volumes
    ]
    for (name, gib, iops, throughput), count in Counter([*roots, *data]).items():
        what = f"{name} volume, {gib} GiB"
        if (iops, throughput) != (BASE_IOPS, BASE_THROUGHPUT):
            what += f", {iops} IOPS, {throughput} MiB/s"
        yield Line(what, count, _gp3(prices, on_aws.region, gib, iops, throughput))


def _gp3(prices: Prices, region: str, gib: int, iops: int, throughput: int) -> float | None:
    """A month of a gp3 volume: its size, and what is above the base of operations and throughput."""
    size = prices.of(region, "gp3_gib_month")
    more_iops = prices.of(region, "gp3_iops_month")
    more_throughput = prices.of(region, "gp3_throughput_mib_month")
    if size is None or more_iops is None or more_throughput is None:
        return None
    return gib * size + (iops - BASE_IOPS) * more_iops + (throughput - BASE_THROUGHPUT) * more_throughput


def _network(on_aws: AwsSite, prices: Prices) -> Iterator[Line]:
    if count := len(on_aws.nat_zones):
        yield Line("NAT gateway", count, _hourly(prices.of(on_aws.region, "nat_hour")))
        yield Line(
            "public address of a NAT gateway", count, _hourly(prices.of(on_aws.region, "address_hour"))
        )


def _alarms(hosts: Sequence[Host], shared: AwsEstate, on_aws: AwsSite, prices: Prices) -> Iterator[Line]:
    if shared.alarms and (count := sum(host.role != "application" for host in hosts)):
        yield Line("alarm of a host", count, prices.of(on_aws.region, "alarm_month"))


def _interconnect(estate: Estate, shared: AwsEstate, prices: Prices) -> Iterator[Part]:
    """What joins the sites, by region: forwarders, transit gateways; then what watches over the voters."""
    by_region: dict[str, list[Line]] = {}

    def add(region: str, what: str, count: int, price: float | None) -> None:
        by_region.setdefault(region, []).append(Line(what, count, price))

    for site in placement.forwarding_sites(estate):
        if site.aws:
            price = prices.of(site.aws.region, "forwarder_hour")
            add(site.aws.region, "address of forwarders", FORWARDER_ADDRESSES, _hourly(price))
            if shared.alarms:
                add(site.aws.region, "alarm of forwarders", 1, prices.of(site.aws.region, "alarm_month"))
    if shared.interconnect == "transit-gateway":
        for region, count in attachments(estate).items():
            price = prices.of(region, "transit_attachment_hour")
            add(region, "attachment to the transit gateway", count, _hourly(price))
    for region, lines in by_region.items():
        yield Part(INTERCONNECT, region, 0, 0, tuple(lines))
    voters = sum(site.aws is not None for site in estate.mirrored_sites)
    if shared.alarms and voters > durability.majority(len(estate.mirrored_sites)):
        region = HEALTH_CHECK_REGION
        checks = Line("health check of voters", voters + 1, prices.of(region, "health_check_month"))
        alarm = Line("alarm of voters", 1, prices.of(region, "alarm_month"))
        yield Part(INTERCONNECT, "", 0, 0, (checks, alarm))


def attachments(estate: Estate) -> Counter[str]:
    """Attachments of transit gateways by region: one for each site, one at each end of a pair of regions."""
    regions = {site.name: site.aws.region for site in estate.sites if site.aws}
    links = [link.between for link in estate.links if set(link.between) <= set(regions)]
    found = Counter(regions[name] for name in {name for link in links for name in link})
    for pair in {frozenset(regions[name] for name in link) for link in links}:
        if len(pair) > 1:
            found.update(pair)
    return found
