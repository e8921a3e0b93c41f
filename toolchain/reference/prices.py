"""The table of prices that costs on AWS are estimated with, for whoever compares it with a bill."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mirrorforce import aws_prices
from toolchain.reference import schemas
from toolchain.reference.markdown import code, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SOURCE = "mirrorforce/aws_prices.json and schemas/aws-prices.schema.json"


def document() -> dict[str, Any]:
    """The table as its file has it."""
    found: dict[str, Any] = json.loads(aws_prices.FILE.read_text(encoding="utf-8"))
    return found


def sections() -> Iterator[str]:
    """Where the prices are from; those of each thing, and of each instance type, by region."""
    prices, schema = document(), schemas.read("aws-prices")
    regions = prices["regions"]
    yield f"{prices['description']} As of {prices['date']}. A price that is not known is in no estimate."
    yield table(("region", "where its prices are from"), prices["sources"].items())
    known = [row for name in ("region", "global") for row in schemas.rows(schema, schema.part(name))]
    single = (
        (code(row.name), row.meaning, row.type.rpartition(", ")[2], *_by_region(prices, row.name))
        for row in known
        if row.name != "instance_hour"
    )
    yield "## What is not an instance"
    yield table(("key", "what", "unit", *regions), single)
    yield "## Instances, an hour each"
    types = dict.fromkeys(name for region in regions.values() for name in region["instance_hour"])
    yield table(
        ("type", *regions),
        (
            (code(name), *(_price(region["instance_hour"].get(name)) for region in regions.values()))
            for name in types
        ),
    )


def _by_region(prices: Mapping[str, Any], name: str) -> Iterator[str]:
    for region in prices["regions"].values():
        yield _price(region.get(name, prices["global"].get(name)))


def _price(value: float | None) -> str:
    return "not known" if value is None else f"{value:g}"
