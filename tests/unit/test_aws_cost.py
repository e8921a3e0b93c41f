from __future__ import annotations

import json
from dataclasses import replace

from jsonschema import Draft202012Validator

from mirrorforce import aws_cost, aws_prices, estate_file, placement
from mirrorforce.aws_prices import Prices
from mirrorforce.workspace import ROOT

ESTATE = estate_file.load(ROOT / "stacks" / "aws.yaml")
LAB = estate_file.load(ROOT / "stacks" / "lab.yaml")
ONE = {
    "gp3_gib_month": 1.0,
    "gp3_iops_month": 0.01,
    "gp3_throughput_mib_month": 0.1,
    "nat_hour": 1.0,
    "address_hour": 0.1,
    "key_month": 5.0,
    "forwarder_hour": 2.0,
    "alarm_month": 0.5,
    "transit_attachment_hour": 3.0,
    "instance_hour": {"t4g.small": 1.0, "r6g.large": 10.0},
}
PRICES = Prices(
    "2026-01-01",
    "USD",
    dict.fromkeys(("us-east-1", "us-west-1", "us-west-2"), ONE),
    {"health_check_month": 7.0},
)


def lines_of(part: str, region: str = "us-east-1", estate: object = ESTATE) -> dict[str, aws_cost.Line]:
    assert isinstance(estate, type(ESTATE))
    found = aws_cost.estimate(estate, PRICES)
    (chosen,) = (each for each in found.parts if (each.name, each.region) == (part, region))
    return {line.what: line for line in chosen.lines}


def test_the_table_of_prices_is_what_its_schema_says() -> None:
    schema = json.loads((ROOT / "schemas" / "aws-prices.schema.json").read_text())
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    validator.validate(json.loads(aws_prices.FILE.read_text()))


def test_an_hour_is_counted_730_times_a_month() -> None:
    host = lines_of("east")["control host, t4g.small"]
    assert (host.count, host.each, host.month) == (1, 730.0, 730.0)


def test_a_volume_costs_its_size_and_what_is_above_the_base_of_gp3() -> None:
    lines = lines_of("east")
    assert lines["wal volume, 32 GiB"].each == 32.0
    data = lines["data volume, 100 GiB, 6000 IOPS, 250 MiB/s"]
    assert data.each == 100 + 3000 * 0.01 + 125 * 0.1
    assert data.count == 2


def test_every_host_and_its_volumes_are_counted_once() -> None:
    found = aws_cost.estimate(ESTATE, PRICES)
    hosts = placement.hosts(ESTATE)
    assert sum(part.hosts for part in found.parts) == len(hosts)
    data = sum(volume.size_mib for host in hosts for volume in host.volumes) // 1024
    assert sum(part.volumes_gib for part in found.parts) == data + 16 * len(hosts)


def test_nat_gateways_and_their_addresses_show_their_cost() -> None:
    assert lines_of("east")["NAT gateway"].month == 730.0
    site = ESTATE.site("east")
    assert site.aws is not None
    many = replace(site, aws=replace(site.aws, egress="nat-per-zone"))
    grown = replace(ESTATE, sites=tuple(many if each == site else each for each in ESTATE.sites))
    assert lines_of("east", estate=grown)["NAT gateway"].month == 3 * 730.0
    assert lines_of("east", estate=grown)["public address of a NAT gateway"].count == 3


def test_forwarders_are_paid_by_address_once_in_each_region() -> None:
    found = aws_cost.estimate(ESTATE, PRICES)
    counts = {
        part.region: line.count
        for part in found.parts
        for line in part.lines
        if "address of forwarders" in line.what
    }
    assert counts == {"us-east-1": 2, "us-west-1": 2, "us-west-2": 2}


def test_a_transit_gateway_is_paid_by_site_and_at_both_ends_of_each_pair_of_regions() -> None:
    assert ESTATE.aws is not None
    transit = replace(ESTATE, aws=replace(ESTATE.aws, interconnect="transit-gateway"))
    # us-west-2 has two sites; each region is paired with both others.
    assert aws_cost.attachments(transit) == {"us-east-1": 3, "us-west-1": 3, "us-west-2": 4}
    assert lines_of("interconnect", "us-west-2", transit)["attachment to the transit gateway"].count == 4
    assert "attachment to the transit gateway" not in lines_of("interconnect", "us-west-2")


def test_what_is_switched_off_costs_nothing() -> None:
    assert ESTATE.aws is not None
    bare = replace(ESTATE, aws=replace(ESTATE.aws, forwarders=False, alarms=False))
    found = aws_cost.estimate(bare, PRICES)
    assert [part.name for part in found.parts] == ["east", "west", "legacy", "dev"]
    assert not [line for part in found.parts for line in part.lines if "alarm" in line.what]


def test_a_price_that_nobody_knows_is_told_and_never_counted_as_nothing() -> None:
    poor = Prices(
        "2026-01-01", "USD", {**PRICES.regions, "us-east-1": {**ONE, "instance_hour": {}}}, PRICES.worldwide
    )
    found = aws_cost.estimate(ESTATE, poor)
    assert "database host, r6g.large (us-east-1)" in found.unpriced
    assert aws_cost.estimate(ESTATE, PRICES).unpriced == ()
    assert found.month < aws_cost.estimate(ESTATE, PRICES).month


def test_an_estate_off_aws_has_no_estimate() -> None:
    assert aws_cost.estimate(LAB, PRICES).parts == ()


def test_the_table_knows_all_that_the_estate_of_the_repository_has() -> None:
    table = aws_prices.load()
    assert aws_cost.estimate(ESTATE, table).unpriced == ()
    assert set(table.regions) == {"us-east-1", "us-west-1", "us-west-2"}


def test_the_table_says_when_and_from_where_and_holds_sizes_in_proportion() -> None:
    table = aws_prices.load()
    assert table.date
    for region, prices in table.regions.items():
        assert region in aws_prices.FILE.read_text().partition('"sources"')[2].partition("}")[0]
        for kind, price in prices["instance_hour"].items():
            family, _, size = kind.partition(".")
            if size == "large":
                twice = table.instance_hour(region, f"{family}.xlarge")
                assert twice is not None
                assert abs(twice - 2 * price) < 0.0002
